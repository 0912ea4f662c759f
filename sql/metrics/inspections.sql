-- title_zh = "检查户次"
-- title_en = "Inspections"
-- group = "inspection"
-- indicator = 6
-- definition = "期间内完成的行政检查。visits：户次，每次入户计一次，联合检查（综合查一次，同一联合任务、同一对象）不论几个单位参加只计一次；participations：每个参加单位各计一次。含未能入户的，不含日常巡查。Finished inspections. visits: a joint visit (one joint task at one party) counts once however many units take part; participations: once for each unit. Visits without entry are included, patrols are not."
-- source = "国家“互联网+监管”检查行为；计数规则由本系统定义。互联网+监管 检查行为; counting rule defined here"
-- unit = "visits"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [parameters.counted]
-- values = ["visits", "participations"]
-- default = "visits"
-- [prometheus]
-- name = "inspections_total"
-- type = "counter"
-- window = "all"
select
    choices.choice,
    visits.scope_id,
    visits.period_start,
    visits.inspection_id,
    visits.joint_task_id,
    visits.org_id,
    visits.party_id,
    visits.finished_date
from choices
cross join visits
where $counted = 'visits'
union all
select
    choices.choice,
    finished_inspections.scope_id,
    finished_inspections.period_start,
    finished_inspections.inspection_id,
    finished_inspections.joint_task_id,
    finished_inspections.org_id,
    finished_inspections.party_id,
    finished_inspections.finished_date
from choices
cross join finished_inspections
where $counted = 'participations' and (finished_inspections.kind is distinct from 'patrol')
