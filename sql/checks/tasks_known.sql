-- title_zh = "检查任务存在"
-- title_en = "Tasks are known"
-- definition = "检查填写的任务编号，以及完成的任务，均有派发记录。The task that an inspection names, and every task that was completed, has been assigned."
-- source = "本系统定义。defined here"
-- severity = "finding"
-- remedy = "单位补报任务派发（task.assigned），或以更高 revision 更正任务编号。The unit sends the assignment (task.assigned), or corrects the id of the task with a higher revision."
with named as (
    select org_id, inspection_id as object_id, task_id, finished_date as event_date from inspections
    union all
    select org_id, object_id, object_id as task_id, event_date
    from acts
    where event_type = 'task.completed'
),

assigned as (
    select object_id as task_id
    from acts
    where event_type = 'task.assigned'
)

select
    named.org_id,
    named.object_id,
    named.task_id,
    named.event_date
from named
left anti join assigned on named.task_id = assigned.task_id
where named.task_id is not null
