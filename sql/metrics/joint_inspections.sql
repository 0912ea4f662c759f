-- title_zh = "综合查一次次数"
-- title_en = "Joint inspections"
-- group = "inspection"
-- definition = "期间内开展的综合查一次次数：同一联合任务下有两个以上单位对同一对象完成检查的，计一次；一个任务检查几户也只计一次。Joint tasks with a finished inspection in the period under which two or more units inspected the same party; a task counts once however many parties it visits."
-- source = "2024年工作报告（20余次）；计数规则由本系统定义。2024 report (over 20 runs); counting rule defined here"
-- unit = "runs"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "joint_inspections_total"
-- type = "counter"
-- window = "all"
select
    scope_id,
    period_start,
    joint_task_id,
    max(orgs) as orgs,
    count(*) as visited_parties,
    max(finished_date) as finished_date
from visits
where joint_task_id is not null and orgs >= 2
group by scope_id, period_start, joint_task_id
