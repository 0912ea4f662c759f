-- title_zh = "简易程序占比"
-- title_en = "Share of the simple procedure"
-- group = "case"
-- indicator = 26
-- definition = "期间内作出的处罚决定中，适用简易程序（当场处罚）者所占比例。Of the decisions of the period, those of the simple procedure, on the spot."
-- source = "《行政处罚法》第五十一条。行政处罚法 art. 51"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "simple_procedure_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    procedure,
    decided_date,
    coalesce(procedure = 'simple', false) as numerator
from decided_cases
