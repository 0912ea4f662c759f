-- title_zh = "案件办结率"
-- title_en = "Case closure ratio"
-- group = "case"
-- indicator = 21
-- definition = "期间内立案的案件（同批次），立案后 90 日内结案者所占比例；未满 90 日的案件暂不计入，撤案不算结案。Of the cases filed in the period, those closed within 90 days of filing; cases younger than 90 days do not count yet, and a withdrawal is no closing."
-- source = "本系统依据《行政处罚法》第六十条定义。defined here, on 行政处罚法 art. 60"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "case_closure_ratio"
-- type = "gauge"
-- window = "none"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    filed_date,
    closed_date,
    coalesce(closed_date - filed_date <= 90, false) as numerator
from filed_cases
where filed_date < $as_of - 90
