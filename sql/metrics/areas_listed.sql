-- title_zh = "片区数"
-- title_en = "Areas"
-- group = "reform"
-- definition = "期末至少有一个在册单位的片区数。Areas (片区) with at least one unit in force at the end of the period."
-- source = "2024年工作报告（4个）。2024 report (4)"
-- unit = "areas"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "areas_listed"
-- type = "gauge"
-- window = "now"
select
    scope_ends.scope_id,
    scope_ends.period_start,
    orgs.area,
    count(distinct orgs.org_id) as units
from scope_ends
inner join orgs
    on
        scope_ends.org_id = orgs.org_id
        and (orgs.valid_from is null or orgs.valid_from <= scope_ends.last_day)
        and (orgs.valid_to is null or orgs.valid_to > scope_ends.last_day)
where orgs.area is not null
group by scope_ends.scope_id, scope_ends.period_start, orgs.area
