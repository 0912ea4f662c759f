-- title_zh = "执法事项已登记"
-- title_en = "Items are known"
-- definition = "检查、案件及其他事件引用的每个事项编码均在事项清单中（任一版本）。Every item code that an inspection, a case or another act names stands in the list of items, in any version."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "在 items.csv 中补充该事项，或更正事项编码。Add the item to items.csv, or correct the code."
with named as (
    select org_id, item_code, event_month from inspections
    union all
    select org_id, item_code, event_month from cases
    union all
    select org_id, item_code, event_month from acts
)

select
    named.org_id,
    named.item_code as object_id,
    count(*) as records,
    min(named.event_month) as first_month,
    max(named.event_month) as last_month
from named
left anti join items on named.item_code = items.item_code
where named.item_code is not null
group by named.org_id, named.item_code
