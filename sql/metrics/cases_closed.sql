-- title_zh = "办结案件数"
-- title_en = "Cases closed"
-- group = "case"
-- definition = "期间内结案的行政处罚案件数（不含撤案）。Penalty cases closed in the period, withdrawn ones not among them."
-- source = "《行政处罚法》；办案数量从不作为考核指标（第七十四条）。行政处罚法; case counts are never a target (art. 74)"
-- unit = "cases"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "cases_closed_total"
-- type = "counter"
-- window = "all"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    item_code,
    filed_date,
    decided_date,
    closed_date
from ended_cases
where withdrawn_date is null
