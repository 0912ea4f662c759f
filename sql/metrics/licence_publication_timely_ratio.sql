-- title_zh = "许可公示及时率"
-- title_en = "Licences published in time"
-- group = "compliance"
-- indicator = 29
-- definition = "期间内作出的准予许可决定中，7 个工作日内公示者所占比例。期限未到而未公示的暂不计入，没有决定日期的计入分母而不计入分子，期限落在没有工作日历年份的不计。Of the licences granted in the period, those published within 7 working days. Those still within the limit do not count yet; one without a date of decision stays in the denominator only, and a limit in a year without a calendar is unknown and not in it."
-- source = "国办发〔2018〕118号；《行政许可法》第四十条。国办发〔2018〕118号; 行政许可法 art. 40"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "licence_publication_timely_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_id,
    period_start,
    object_id as licence_id,
    org_id,
    start_date as decided_date,
    due_date,
    stop_date as published_date,
    is_met as numerator
from started_clocks
where clock = 'licence_publication'
