-- title_zh = "检查转案件率"
-- title_en = "Inspections that led to a case"
-- group = "inspection"
-- indicator = 20
-- definition = "期间内完成且发现问题的检查中，有立案案件关联者所占比例（不论何时立案）；不含日常巡查。Finished inspections that found a problem and that a filed case refers to, whenever it was filed. Patrols are not included."
-- source = "本系统定义。defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "inspection_to_case_ratio"
-- type = "gauge"
-- window = "28d"
with linked as (
    select
        inspection_id,
        min(case_id) as case_id
    from cases
    where inspection_id is not null and filed_date is not null
    group by inspection_id
)

select
    finished_inspections.scope_id,
    finished_inspections.period_start,
    finished_inspections.inspection_id,
    finished_inspections.org_id,
    finished_inspections.party_id,
    finished_inspections.result,
    finished_inspections.finished_date,
    linked.case_id,
    linked.case_id is not null as numerator
from finished_inspections
left join linked on finished_inspections.inspection_id = linked.inspection_id
where
    (finished_inspections.kind is distinct from 'patrol')
    and finished_inspections.result <> 'no_problem'
    and finished_inspections.result <> 'no_entry'
