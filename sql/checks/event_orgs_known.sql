-- title_zh = "事件所属单位存在"
-- title_en = "Units of events are known"
-- definition = "每条事件的单位以及监督意见书的对象单位均在单位表中；未登记单位的事件只计入全区，不计入任何一类单位。The unit of every event, and the unit that a supervision opinion addresses, stand in the register; events of other units count for the district and for no kind of unit."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "在 orgs.csv 中补充该单位，或在映射中更正单位编码后以更高 revision 重新报送。Add the unit to orgs.csv, or correct the code in the mapping and send the lines again with a higher revision."
with named as (
    select
        org_id,
        'org_id' as column_name,
        events,
        event_date
    from org_days
    union all
    select
        json_get_str(attributes, 'target_org_id') as org_id,
        'target_org_id' as column_name,
        1 as events,
        event_date
    from acts
    where event_type = 'opinion.issued'
)

select
    named.org_id,
    named.column_name as object_id,
    sum(named.events) as events,
    min(named.event_date) as first_date,
    max(named.event_date) as last_date
from named
left anti join orgs on named.org_id = orgs.org_id
where named.org_id is not null
group by named.org_id, named.column_name
