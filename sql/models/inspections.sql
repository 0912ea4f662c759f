-- title_zh = "检查与巡查"
-- title_en = "Inspections and patrols, one row each"
-- kind = "rollup"
-- grain = ["inspection_id"]
-- partition = "event_month"
-- refresh_by = { model = "inspection_id", events = "object_id" }
with steps as (
    select
        object_id,
        org_id,
        party_id,
        channel,
        event_type,
        occurred_at,
        event_date,
        event_month,
        cardinality(officer_ids) as officers,
        json_get_str(attributes, 'kind') as kind,
        json_get_str(attributes, 'result') as result,
        json_get_str(attributes, 'joint_task_id') as joint_task_id,
        event_type in ('inspection.finished', 'patrol.recorded') as is_finish
    from events
    where
        event_type in ('inspection.started', 'inspection.finished', 'patrol.recorded')
        and object_id is not null
)

select
    object_id as inspection_id,
    coalesce(max(org_id) filter (where is_finish), max(org_id)) as org_id,
    max(party_id) as party_id,
    max(joint_task_id) as joint_task_id,
    case
        when bool_or(event_type = 'patrol.recorded') then 'patrol'
        else max(kind)
    end as kind,
    max(result) as result,
    max(channel) filter (where is_finish) as channel,
    max(officers) as officers,
    min(occurred_at) filter (where event_type = 'inspection.started') as started_at,
    max(occurred_at) filter (where is_finish) as finished_at,
    max(event_date) filter (where is_finish) as finished_date,
    coalesce(max(event_month) filter (where is_finish), max(event_month)) as event_month
from steps
group by object_id
