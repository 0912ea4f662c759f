-- title_zh = "立案数"
-- title_en = "Cases filed"
-- group = "case"
-- definition = "期间内立案的行政处罚案件数。Penalty cases filed in the period."
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
-- name = "cases_filed_total"
-- type = "counter"
-- window = "all"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    item_code,
    procedure,
    origin,
    filed_date
from filed_cases
