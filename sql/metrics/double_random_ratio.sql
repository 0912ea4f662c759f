-- title_zh = "双随机检查占比"
-- title_en = "Double random ratio"
-- group = "inspection"
-- indicator = 16
-- definition = "期间内完成的检查中，标明为双随机抽查或属于双随机计划者所占比例；不含日常巡查。Finished inspections that are marked as double random or belong to a double random plan, of all. Patrols are not included."
-- source = "国家“互联网+监管”双随机一公开计划（plan_id）；公式由本系统定义。plan_id 双随机一公开计划 of 互联网+监管; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "double_random_ratio"
-- type = "gauge"
-- window = "28d"
with random_plans as (
    select distinct plan_id
    from plans
    where kind = 'double_random'
)

select
    finished_inspections.scope_id,
    finished_inspections.period_start,
    finished_inspections.inspection_id,
    finished_inspections.org_id,
    finished_inspections.party_id,
    finished_inspections.plan_id,
    finished_inspections.finished_date,
    finished_inspections.is_double_random or random_plans.plan_id is not null as numerator
from finished_inspections
left join random_plans on finished_inspections.plan_id = random_plans.plan_id
where finished_inspections.kind is distinct from 'patrol'
