-- title_zh = "检查户次"
-- title_en = "Inspections"
-- definition = "期间内完成的行政检查户次：每次入户计一次，联合检查（综合查一次）不论几个单位参加只计一次；不含日常巡查。Finished inspection visits; a joint visit counts once however many units take part; patrols are not included."
-- source = "互联网+监管 检查行为; counting rule defined here"
-- unit = "visits"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "inspections_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    count(*) filter (where inspections.joint_task_id is null)
    + count(distinct inspections.joint_task_id) as value
from inspections
inner join period_days on inspections.finished_date = period_days.day
inner join scope_orgs
    on
        inspections.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where inspections.kind is distinct from 'patrol'
group by scope_orgs.scope_id, period_days.period_start
