-- title_zh = "检查任务"
-- title_en = "Inspection tasks, one row each"
-- kind = "derived"
-- grain = ["task_id"]
-- # A joint task is completed when the last of its units has completed it.
with steps as (
    select
        object_id,
        org_id,
        event_type,
        event_date,
        json_texts(attributes, 'plan_id', 'kind', 'due_on') as told
    from acts
    where event_type like 'task.%' and object_id is not null
)

select
    object_id as task_id,
    coalesce(max(org_id) filter (where event_type = 'task.assigned'), max(org_id)) as org_id,
    max(told['plan_id']) as plan_id,
    max(told['kind']) as kind,
    max(try_cast(told['due_on'] as date)) as due_on,
    min(event_date) filter (where event_type = 'task.assigned') as assigned_date,
    max(event_date) filter (where event_type = 'task.completed') as completed_date
from steps
group by object_id
