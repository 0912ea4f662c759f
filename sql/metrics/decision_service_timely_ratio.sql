-- title_zh = "法定送达率"
-- title_en = "Decisions served in time"
-- group = "compliance"
-- indicator = 27
-- definition = "期间内作出的处罚决定中，当场或者在 7 个工作日内送达者所占比例。期限未到而未送达的暂不计入，没有决定日期的计入分母而不计入分子，期限落在没有工作日历年份的不计。Of the decisions of the period, those served on the spot or within 7 working days. Those still within the limit do not count yet; one without a date of decision stays in the denominator only, and a limit in a year without a calendar is unknown and not in it."
-- source = "《行政处罚法》第六十一条、第八十五条。行政处罚法 art. 61, 85"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "decision_service_timely_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    object_id as case_id,
    org_id,
    party_id,
    start_date as decided_date,
    due_date,
    stop_date as served_date,
    is_met as numerator
from started_clocks
where clock = 'case_service'
