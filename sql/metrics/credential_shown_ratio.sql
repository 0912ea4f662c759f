-- title_zh = "亮证率"
-- title_en = "Credential shown ratio"
-- group = "compliance"
-- indicator = 34
-- definition = "期间内完成的检查中，在检查开始时或之前亮证或扫码者所占比例；没有开始记录的计入分母、不计入分子；未能入户的不计；不含日常巡查。Finished inspections in which the credential was shown or the code scanned before or at the start. One without a recorded start is in the denominator only; visits without entry are left out; patrols are not included."
-- source = "《行政处罚法》第五十五条；成都2025年亮码率；公式由本系统定义。行政处罚法 art. 55; 亮码率 of Chengdu 2025; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "credential_shown_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    party_id,
    credential_shown_at,
    code_scanned_at,
    started_at,
    finished_date,
    coalesce(credential_shown_at <= started_at, false)
    or coalesce(code_scanned_at <= started_at, false) as numerator
from finished_inspections
where (kind is distinct from 'patrol') and (result is distinct from 'no_entry')
