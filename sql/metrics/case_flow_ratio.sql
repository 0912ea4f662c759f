-- title_zh = "结收比"
-- title_en = "Cases closed per case filed"
-- group = "case"
-- indicator = 21
-- definition = "期间内结案数与同期立案数之比；两者不是同一批案件，比值可超过 1。撤案不算结案。Cases closed in the period over cases filed in it; these are not the same cases, so that it may exceed 1. A withdrawal is no closing."
-- source = "本系统定义；同法院结案率及 Moorpark 市（106.67%）。defined here; as the clearance rate of courts, and Moorpark (106.67 %)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "case_flow_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    filed_date,
    closed_date,
    0 as numerator,
    1 as denominator
from filed_cases
union all
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    filed_date,
    closed_date,
    1 as numerator,
    0 as denominator
from ended_cases
where withdrawn_date is null
