-- title_zh = "检查计划存在"
-- title_en = "Plans are known"
-- definition = "检查与检查任务引用的计划均在计划表中；未登记的计划不能作为检查依据。The plan that an inspection or a task names stands in the register of plans."
-- source = "本系统依据《重庆市规范涉企行政检查办法》（令第375号）定义。defined here, on 重庆市规范涉企行政检查办法（令第375号）"
-- severity = "error"
-- remedy = "在 plans.csv 中补充该计划，或更正计划编号。Add the plan to plans.csv, or correct its id."
with named as (
    select org_id, plan_id, event_month from inspections
    union all
    select org_id, json_get_str(attributes, 'plan_id') as plan_id, event_month
    from acts
    where event_type = 'task.assigned'
)

select
    named.org_id,
    named.plan_id as object_id,
    count(*) as records,
    min(named.event_month) as first_month,
    max(named.event_month) as last_month
from named
left anti join plans on named.plan_id = plans.plan_id
where named.plan_id is not null
group by named.org_id, named.plan_id
