-- title_zh = "综合查一次次数"
-- title_en = "Joint inspections"
-- definition = "期间内完成的综合查一次（同一联合任务下多单位联合检查）次数。Joint tasks with at least one finished inspection in the period."
-- source = "2024 report (over 20 runs); counting rule defined here"
-- unit = "visits"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "joint_inspections_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    count(distinct inspections.joint_task_id) as value
from inspections
inner join period_days on inspections.finished_date = period_days.day
inner join scope_orgs
    on
        inspections.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where inspections.joint_task_id is not null
group by scope_orgs.scope_id, period_days.period_start
