-- title_zh = "检查发现问题率"
-- title_en = "Inspection detection ratio"
-- group = "inspection"
-- indicator = 18
-- definition = "期间内完成的检查中发现问题者所占比例，按单位参加次数；未能入户、停业的不计；不含日常巡查。Finished inspections that found a problem, of all but those without entry; each unit's part of a joint visit stands for itself. Patrols are not included."
-- source = "2025年规范涉企行政执法专项行动全国指标；剔除规则同芝加哥食品检查。national indicator of 2025 (规范涉企行政执法专项行动); exclusion as in Chicago food inspections"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "inspection_detection_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    party_id,
    result,
    finished_date,
    coalesce(result <> 'no_problem', false) as numerator
from finished_inspections
where (kind is distinct from 'patrol') and (result is distinct from 'no_entry')
