-- title_zh = "相对人已登记"
-- title_en = "Parties are known"
-- definition = "检查、案件及其他事件引用的每个相对人均在相对人表中（任一版本）；未登记者无法按信用与风险分级。Every party that an inspection, a case or another act names stands in the register, in any version; others have no credit class and no risk tier."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "在 parties.csv 中补充该相对人，或更正其编号。Add the party to parties.csv, or correct the id."
with named as (
    select org_id, party_id, event_month from inspections
    union all
    select org_id, party_id, event_month from cases
    union all
    select org_id, party_id, event_month from acts
)

select
    named.org_id,
    cast(null as varchar) as object_id,
    named.party_id,
    count(*) as records,
    min(named.event_month) as first_month,
    max(named.event_month) as last_month
from named
left anti join parties on named.party_id = parties.party_id
where named.party_id is not null
group by named.org_id, named.party_id
