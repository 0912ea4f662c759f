-- title_zh = "扫码入企率"
-- title_en = "Code scanned ratio"
-- group = "compliance"
-- definition = "期间内完成的涉企检查中，在检查结束之前扫码者所占比例；未能入户的不计；不含日常巡查。Finished inspections of firms in which the code was scanned before they ended. Visits without entry are left out; patrols are not included."
-- source = "扫码入企见国办发〔2024〕54号；公式由本系统定义。扫码入企: 国办发〔2024〕54号; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "code_scanned_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    party_id,
    code_scanned_at,
    finished_at,
    finished_date,
    coalesce(code_scanned_at <= finished_at, false) as numerator
from finished_inspections
where
    party_kind = 'firm'
    and (kind is distinct from 'patrol')
    and (result is distinct from 'no_entry')
