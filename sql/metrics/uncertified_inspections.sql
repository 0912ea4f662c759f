-- title_zh = "无证人员参与检查数"
-- title_en = "Inspections with an uncertified officer"
-- group = "compliance"
-- definition = "期间内完成的检查中，有当日不持有效执法证者参加（或未记录人员）的次数；名录中没有执法证号的人员视为无证；不含日常巡查。Finished inspections in which somebody took part whose certificate was not valid on the day, or that name nobody; an officer for whom the register has no certificate number has none. Patrols are not included."
-- source = "国办发〔2024〕54号（严禁未取得执法证件的人员实施检查）。国办发〔2024〕54号 (ban on inspections by persons without a certificate)"
-- unit = "inspections"
-- kind = "count"
-- direction = "guardrail"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "uncertified_inspections"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    act_id as inspection_id,
    org_id,
    party_id,
    day as finished_date,
    officers,
    certified_officers
from certified_acts
where act = 'inspection' and (certified_officers < officers or officers = 0)
