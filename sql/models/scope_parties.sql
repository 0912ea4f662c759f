-- title_zh = "各范围所属区县（含不分区县）"
-- title_en = "Whose parties each scope counts: those of its districts, and those of no district ('')"
-- kind = "view"
-- grain = ["scope_id", "district_id"]
select distinct
    scope_id,
    '' as district_id
from scope_orgs
union all
select
    scope_id,
    district_id
from scope_districts
