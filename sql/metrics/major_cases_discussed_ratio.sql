-- title_zh = "重大案件集体讨论率"
-- title_en = "Major decisions discussed by the heads"
-- group = "compliance"
-- definition = "期间内作出的重大处罚决定（行政处罚法第五十八条所列情形）中，决定当日或者之前经负责人集体讨论者所占比例。Of the major decisions of the period (the cases of art. 58), those that the heads of the unit discussed on the day of the decision or before."
-- source = "《行政处罚法》第五十七条第二款；以第五十八条所列案件作为情节复杂或者重大的案件，为本系统定义。行政处罚法 art. 57(2); taking the cases of art. 58 for complex or grave ones is defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "major_cases_discussed_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    discussed_date,
    decided_date,
    coalesce(discussed_date <= decided_date, false) as numerator
from decided_cases
where is_major
