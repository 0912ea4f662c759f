-- title_zh = "掌上执法率"
-- title_en = "Mobile inspection ratio"
-- group = "inspection"
-- indicator = 9
-- definition = "期间内完成的检查中，开始和结束均在移动端（app）记录者所占比例；没有开始记录的计入分母、不计入分子；不含日常巡查。Finished inspections whose start and whose end were both recorded in the mobile app, of all; one without a recorded start is in the denominator only. Patrols are not included."
-- source = "掌上执法见国办发〔2023〕27号；公式由本系统定义。掌上执法: 国办发〔2023〕27号; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "mobile_inspection_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    start_channel,
    channel,
    finished_date,
    coalesce(start_channel = 'app' and channel = 'app', false) as numerator
from finished_inspections
where kind is distinct from 'patrol'
