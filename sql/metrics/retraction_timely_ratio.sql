-- title_zh = "撤销信息撤回及时率"
-- title_en = "Changed decisions retracted in time"
-- group = "compliance"
-- indicator = 30
-- definition = "已公示而在期间内被变更、撤销的处罚决定中，3 个工作日内撤回公示信息者所占比例。期限未到而未撤回的暂不计入，没有变更日期的计入分母而不计入分子，期限落在没有工作日历年份的不计。Of the published decisions changed or annulled in the period, those whose publication was retracted within 3 working days. Those still within the limit do not count yet; one without a date of the change stays in the denominator only, and a limit in a year without a calendar is unknown and not in it."
-- source = "《行政处罚法》第四十八条、第八十五条。行政处罚法 art. 48, 85"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "retraction_timely_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_id,
    period_start,
    object_id as case_id,
    org_id,
    party_id,
    start_date as changed_date,
    due_date,
    stop_date as retracted_date,
    is_met as numerator
from started_clocks
where clock = 'retraction'
