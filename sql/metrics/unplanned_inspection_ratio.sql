-- title_zh = "计划外检查占比"
-- title_en = "Unplanned inspection ratio"
-- group = "inspection"
-- indicator = 13
-- definition = "期间内完成的涉企检查中，既无检查计划、又无经批准的触发事由（投诉举报、转办交办、线索、上级部署）者所占比例；不含日常巡查。Finished inspections of firms that belong to no plan and have no approved trigger (complaint, transfer, clue, or ordered from above), of all. Patrols are not included."
-- source = "《重庆市规范涉企行政检查办法》（市政府令第375号）；公式由本系统定义。重庆市规范涉企行政检查办法 (市政府令第375号); formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "unplanned_inspection_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    party_id,
    kind,
    plan_id,
    trigger,
    finished_date,
    plan_id is null and trigger is null and not is_ordered_from_above as numerator
from finished_inspections
where party_kind = 'firm' and (kind is distinct from 'patrol')
