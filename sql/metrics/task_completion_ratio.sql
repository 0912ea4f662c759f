-- title_zh = "检查任务完成率"
-- title_en = "Task completion ratio"
-- group = "inspection"
-- indicator = 11
-- definition = "期间内到期的检查任务（按到期日归期）中，在到期日当天或之前完成者所占比例；尚未过期的不计。Tasks whose due date lies in the period and has passed: those completed on or before it."
-- source = "本系统定义。defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "task_completion_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_orgs.scope_id,
    period_days.period_start,
    tasks.task_id,
    tasks.org_id,
    tasks.plan_id,
    tasks.due_on,
    tasks.completed_date,
    coalesce(tasks.completed_date <= tasks.due_on, false) as numerator
from tasks
inner join period_days on tasks.due_on = period_days.day
inner join scope_orgs
    on
        tasks.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where tasks.due_on < $as_of
