-- title_zh = "事件类型已定义"
-- title_en = "Event types are known"
-- definition = "每条事件的类型均在 event_types.csv 中；未定义的类型照常落库，但不计入任何活跃层级与指标。The type of every event stands in event_types.csv; others land too, and count in no level of activity and in no metric."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "在映射中对应到已定义的类型；确属新类型的，补充 sql/reference/event_types.csv。Map it to a known type, or add a new one to sql/reference/event_types.csv."
select
    org_days.org_id,
    org_days.event_type as object_id,
    sum(org_days.events) as events,
    min(org_days.event_date) as first_date,
    max(org_days.event_date) as last_date
from org_days
left anti join event_types on org_days.event_type = event_types.event_type
group by org_days.org_id, org_days.event_type
