-- title_zh = "超期未办事项数"
-- title_en = "Clocks run out"
-- group = "compliance"
-- definition = "期末（期末在今天之后的，今天）已超过法定期限而尚未完成的事项数；all 为约束执法单位的全部时限。Clocks still running at the end of the period (or today if that is earlier) although their limit is past; `all` are the limits that bind the units."
-- source = "law and article of each clock: clock_rules"
-- unit = "clocks"
-- kind = "count"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [parameters.clock]
-- values = ["all", "case_decision", "case_service", "case_publication", "credit_upload", "evidence_decision", "cash_hand_in", "retraction", "measure_duration", "measure_report", "court_application", "licence_decision", "licence_delivery", "licence_publication", "spot_check_publication", "complaint_handling", "opinion_reply", "fine_payment", "rectification"]
-- default = "all"
-- [prometheus]
-- name = "clocks_overdue"
-- type = "gauge"
-- window = "none"
select
    scope_id,
    period_start,
    clock,
    object_id,
    org_id,
    party_id,
    start_date,
    due_date,
    days_left
from running_clocks
where
    rule <> 'at_least'
    and (clock = $clock or ($clock = 'all' and rule <> 'party'))
    and days_left < 0
