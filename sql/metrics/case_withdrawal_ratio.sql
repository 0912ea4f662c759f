-- title_zh = "处罚案件撤案率"
-- title_en = "Cases withdrawn"
-- group = "case"
-- indicator = 25
-- definition = "期间内立案的案件（同批次）中，其后撤案者所占比例。Of the cases filed in the period, those withdrawn since."
-- source = "北京市东城区2019年处罚案件撤案率；按立案日期划定同期案件，为本系统选定。处罚案件撤案率 of Beijing Dongcheng 2019; cohort by filing date chosen here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "guardrail"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "case_withdrawal_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    filed_date,
    withdrawn_date,
    withdrawn_date is not null as numerator
from filed_cases
