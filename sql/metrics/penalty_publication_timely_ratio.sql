-- title_zh = "处罚公示及时率"
-- title_en = "Decisions published in time"
-- group = "compliance"
-- indicator = 28
-- definition = "期间内作出的应当公示的处罚决定中，7 个工作日内公示者所占比例。期限未到而未公示的暂不计入，没有决定日期的计入分母而不计入分子，期限落在没有工作日历年份的不计。Of the publishable decisions of the period, those published within 7 working days. Those still within the limit do not count yet; one without a date of decision stays in the denominator only, and a limit in a year without a calendar is unknown and not in it."
-- source = "国办发〔2018〕118号；《行政处罚法》第四十八条。国办发〔2018〕118号; 行政处罚法 art. 48"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "penalty_publication_timely_ratio"
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
    stop_date as published_date,
    is_met as numerator
from started_clocks
where clock = 'case_publication'
