-- title_zh = "涉企检查户次"
-- title_en = "Inspections of firms"
-- group = "inspection"
-- definition = "期间内完成的涉企行政检查户次：对企业的每次入户计一次，联合检查只计一次；含未能入户的，不含日常巡查。Finished inspection visits of firms (party_kind = firm); a joint visit counts once; visits without entry are included, patrols are not."
-- source = "国办发〔2024〕54号，2025年目标检查减量化；计数规则由本系统定义；以减少为目的，绝不下达指标。国办发〔2024〕54号 and 检查减量化 of the 2025 goals; counting rule defined here. Fewer is the aim; never a quota"
-- unit = "visits"
-- kind = "count"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "firm_inspections_total"
-- type = "counter"
-- window = "all"
select
    scope_id,
    period_start,
    inspection_id,
    joint_task_id,
    org_id,
    party_id,
    finished_date
from visits
where party_kind = 'firm'
