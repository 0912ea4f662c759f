-- title_zh = "日常巡查次数"
-- title_en = "Patrols"
-- group = "inspection"
-- definition = "期间内录入的日常巡查次数。Patrols recorded in the period."
-- source = "2024年工作报告（改革启动以来镇街3253次）。2024 report (3253 by the 镇街 since the reform began)"
-- unit = "patrols"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "patrols_total"
-- type = "counter"
-- window = "all"
select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    result,
    finished_date
from finished_inspections
where kind = 'patrol'
