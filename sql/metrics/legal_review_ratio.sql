-- title_zh = "重大执法决定法制审核率"
-- title_en = "Major decisions reviewed before they were made"
-- group = "compliance"
-- indicator = 31
-- definition = "期间内作出的重大处罚决定（行政处罚法第五十八条所列情形）中，决定之前法制审核通过（同意，或者建议修改）者所占比例；审核不同意的、决定之后才审核的不算。Of the major decisions of the period (the cases of art. 58), those that a legal review had passed before, agreeing or asking for amendments; a rejection, or a review after the decision, is none."
-- source = "《行政处罚法》第五十八条；国办发〔2018〕118号。行政处罚法 art. 58; 国办发〔2018〕118号"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "legal_review_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    review_opinion,
    reviewed_date,
    decided_date,
    coalesce(review_opinion in ('agree', 'amend') and reviewed_at <= decided_at, false) as numerator
from decided_cases
where is_major
