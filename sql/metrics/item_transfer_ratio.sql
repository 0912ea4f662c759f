-- title_zh = "综合行政执法事项占比"
-- title_en = "Items exercised by the teams"
-- group = "reform"
-- indicator = 39
-- definition = "期末在册执法事项中，由综合行政执法支队行使者所占比例；全区计全部事项，其他范围计其单位登记为行使主体的事项。Of the enforcement items in force at the end of the period, those whose registered holder is a team (支队) in force; the district has all items, another scope those that its units hold. The list of a 镇街 is not a holding of its own here."
-- source = "2024年工作报告（1026项的71.345%；口径未定，见 reported）。2024 report (71.345 %, of 1026 items; the reading is not settled, see reported)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "item_transfer_ratio"
-- type = "gauge"
-- window = "now"
select
    scope_id,
    period_start,
    item_code,
    name,
    domain,
    holder_id,
    is_comprehensive as numerator
from item_holdings
where is_registered
