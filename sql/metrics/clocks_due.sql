-- title_zh = "临期事项数"
-- title_en = "Clocks about to run out"
-- group = "compliance"
-- definition = "期末（期末在今天之后的，今天）尚未完成，且期限在当日或者其后 N 个自然日内届满的法定时限事项数；已超期的不计，见 clocks_overdue。all 为约束执法单位的全部时限。Clocks running at the end of the period (or today if that is earlier) whose limit is that day or within the next N calendar days; those past it are in clocks_overdue. `all` are the limits that bind the units."
-- source = "各时限的法律条文见 clock_rules；提前天数由本系统定义。law and article of each clock: clock_rules; lead times defined here"
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
-- [parameters.within]
-- values = ["5", "10", "15", "30"]
-- default = "10"
-- [prometheus]
-- name = "clocks_due"
-- type = "gauge"
-- window = "none"
select
    choices.choice,
    running_clocks.scope_id,
    running_clocks.period_start,
    running_clocks.clock,
    running_clocks.object_id,
    running_clocks.org_id,
    running_clocks.party_id,
    running_clocks.start_date,
    running_clocks.due_date,
    running_clocks.days_left
from choices
cross join running_clocks
where
    running_clocks.rule <> 'at_least'
    and (
        running_clocks.clock = $clock
        or ($clock = 'all' and running_clocks.rule <> 'party')
    )
    and running_clocks.days_left between 0 and cast($within as int)
