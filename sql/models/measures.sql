-- title_zh = "行政强制措施"
-- title_en = "Compulsory measures (sealing, seizing, freezing), one row each"
-- kind = "derived"
-- grain = ["measure_id"]
with steps as (
    select
        object_id,
        org_id,
        event_type,
        occurred_at,
        event_date,
        json_texts(attributes, 'case_id', 'kind', 'is_emergency') as told
    from acts
    where event_type like 'measure.%' and object_id is not null
)

select
    object_id as measure_id,
    coalesce(max(org_id) filter (where event_type = 'measure.imposed'), max(org_id)) as org_id,
    max(told['case_id']) as case_id,
    max(told['kind']) as kind,
    coalesce(bool_or(told['is_emergency'] = 'true'), false) as is_emergency,
    min(occurred_at) filter (where event_type = 'measure.imposed') as imposed_at,
    min(event_date) filter (where event_type = 'measure.imposed') as imposed_date,
    min(occurred_at) filter (where event_type = 'measure.reported') as reported_at,
    max(event_date) filter (where event_type = 'measure.extended') as extended_date,
    max(event_date) filter (where event_type = 'measure.ended') as ended_date
from steps
group by object_id
