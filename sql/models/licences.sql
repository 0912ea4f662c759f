-- title_zh = "行政许可"
-- title_en = "Licence applications, one row each"
-- kind = "derived"
-- grain = ["licence_id"]
with steps as (
    select
        object_id,
        org_id,
        event_type,
        event_date,
        json_texts(attributes, 'is_joint', 'decision') as told
    from acts
    where event_type like 'licence.%' and object_id is not null
)

select
    object_id as licence_id,
    coalesce(max(org_id) filter (where event_type = 'licence.accepted'), max(org_id)) as org_id,
    coalesce(bool_or(told['is_joint'] = 'true'), false) as is_joint,
    min(event_date) filter (where event_type = 'licence.accepted') as accepted_date,
    max(event_date) filter (where event_type = 'licence.decided') as decided_date,
    max(told['decision']) filter (where event_type = 'licence.decided') as decision,
    min(event_date) filter (where event_type = 'licence.delivered') as delivered_date,
    min(event_date) filter (where event_type = 'licence.published') as published_date
from steps
group by object_id
