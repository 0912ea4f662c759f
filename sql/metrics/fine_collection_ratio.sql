-- title_zh = "罚款缴纳率"
-- title_en = "Fines paid in time"
-- group = "case"
-- indicator = 55
-- definition = "缴款期限（送达之日起 15 日）在期间内届满的罚款案件中，按期缴清者所占比例（按件）；没有送达日期而已缴清的按缴清日期计入分母，不计入分子；当事人尚有期限的、期限落在没有工作日历年份的不计。Of the cases with a fine whose time to pay (15 days from service) ended in the period, those paid in full by then, by number of cases; a fine paid without a date of service stays in the denominator only, by the day it was paid; running periods, and limits in a year without a calendar, are not in it."
-- source = "《行政处罚法》第六十七条。行政处罚法 art. 67"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "fine_collection_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_orgs.scope_id,
    period_days.period_start,
    clocks.object_id as case_id,
    clocks.org_id,
    clocks.party_id,
    clocks.start_date as served_date,
    clocks.due_date,
    clocks.stop_date as paid_in_full_date,
    clocks.is_met as numerator
from clocks
inner join period_days
    on
        case when clocks.start_date is null then clocks.stop_date else clocks.due_date end
        = period_days.day
inner join scope_orgs
    on
        clocks.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where
    clocks.clock = 'fine_payment'
    and (clocks.stop_date is not null or clocks.due_date < $as_of)
