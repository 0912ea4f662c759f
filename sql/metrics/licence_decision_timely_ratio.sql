-- title_zh = "许可按期办结率"
-- title_en = "Licences decided in time"
-- group = "compliance"
-- definition = "期间内受理的许可申请中，20 个工作日（联合办理的 45 个工作日）内作出决定者所占比例。期限未到而未决定的暂不计入，没有受理日期的计入分母而不计入分子，期限落在没有工作日历年份的不计。Of the licence applications accepted in the period, those decided within 20 working days, or 45 when handled jointly. Those still within the limit do not count yet; one without a date of acceptance stays in the denominator only, and a limit in a year without a calendar is unknown and not in it."
-- source = "《行政许可法》第四十二条、第八十二条。行政许可法 art. 42, 82"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "licence_decision_timely_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_id,
    period_start,
    object_id as licence_id,
    org_id,
    start_date as accepted_date,
    due_date,
    stop_date as decided_date,
    is_met as numerator
from started_clocks
where clock = 'licence_decision'
