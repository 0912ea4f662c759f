-- title_zh = "年度检查计划执行率"
-- title_en = "Plan completion ratio"
-- group = "inspection"
-- indicator = 12
-- definition = "期末在执行期内的检查计划，自计划开始之日至期末完成的检查数（联合检查计一次，超出计划的部分不计）除以计划检查数。计划最长一年。Of the plans in force on the last day of the period: inspections finished under the plan since it began, a joint visit once and at most as many as planned, of those planned. A plan runs for a year at most."
-- source = "年度检查计划依据《重庆市规范涉企行政检查办法》（市政府令第375号）；公式由本系统定义。annual plan required: 重庆市规范涉企行政检查办法 (市政府令第375号); formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "plan_completion_ratio"
-- type = "gauge"
-- window = "now"
with planned as (
    select
        scope_ends.scope_id,
        scope_ends.period_start,
        scope_ends.last_day,
        plans.plan_id,
        plans.org_id,
        plans.period_start as plan_start,
        plans.planned_inspections
    from plans
    inner join scope_ends
        on
            plans.org_id = scope_ends.org_id
            and plans.period_start <= scope_ends.last_day
            and plans.period_end > scope_ends.last_day
),

checks as (
    select
        plan_id,
        coalesce(joint_task_id || '/' || coalesce(party_id, ''), inspection_id) as visit_id,
        finished_date
    from inspections
    where
        finished_date < $to
        and plan_id is not null
        and (kind is distinct from 'patrol')
),

executed as (
    select
        plan_id,
        visit_id,
        min(finished_date) as day
    from checks
    group by plan_id, visit_id
),

executed_days as (
    select
        plan_id,
        day,
        count(*) as inspections
    from executed
    group by plan_id, day
),

progress as (
    select
        planned.scope_id,
        planned.period_start,
        planned.plan_id,
        planned.org_id,
        planned.plan_start,
        planned.planned_inspections,
        coalesce(sum(executed_days.inspections), 0) as finished_inspections
    from planned
    left join executed_days
        on
            planned.plan_id = executed_days.plan_id
            and planned.plan_start <= executed_days.day
            and planned.last_day >= executed_days.day
    group by
        planned.scope_id,
        planned.period_start,
        planned.plan_id,
        planned.org_id,
        planned.plan_start,
        planned.planned_inspections
)

select
    scope_id,
    period_start,
    plan_id,
    org_id,
    plan_start,
    finished_inspections,
    least(finished_inspections, planned_inspections) as numerator,
    planned_inspections as denominator
from progress
