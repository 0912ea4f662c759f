-- title_zh = "事件注明所属对象"
-- title_en = "Events name the object they belong to"
-- definition = "属于某次检查、案件、意见书等对象的事件类型均填写 object_id；未填写者不计入任何检查或案件。Every event of a type that belongs to an inspection, a case, an opinion or another object names it; without it the event counts in no inspection and no case."
-- source = "本系统依据 sql/reference/event_types.csv 定义。defined here, on sql/reference/event_types.csv"
-- severity = "error"
-- remedy = "在映射中给出 object_id，以更高 revision 重新报送。Give object_id in the mapping and send the lines again with a higher revision."
select
    events.org_id,
    events.event_id as object_id,
    events.event_type,
    events.event_date
from events
inner join event_types on events.event_type = event_types.event_type
where
    events.object_id is null
    and event_types.object <> ''
    and event_types.object not in ('training', 'certificate')
