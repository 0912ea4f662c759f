-- title_zh = "上线办案率"
-- title_en = "Cases filed online"
-- group = "case"
-- indicator = 10
-- definition = "期间内立案的案件中，在平台（移动端或网页端）立案者所占比例；事后导入补录的、其他系统推送的不计入分子。Of the cases filed in the period, those filed on the platform itself, in the app or on a PC; cases imported afterwards or pushed by another system are not."
-- source = "2024年工作报告（全面线上运行）；公式由本系统定义。2024 report (全面线上运行); formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "online_case_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    channel,
    filed_date,
    coalesce(channel in ('app', 'pc'), false) as numerator
from filed_cases
