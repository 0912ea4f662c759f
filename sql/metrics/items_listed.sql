-- title_zh = "在册执法事项数"
-- title_en = "Items on the lists"
-- group = "reform"
-- definition = "期末在册的执法事项数：全部、镇清单、街道清单，或由支队行使的综合执法事项；全区计全部事项，其他范围计其单位行使的事项，镇街含其清单事项。Enforcement items in force at the end of the period: all, those on the list of 镇 or of 街道, or the comprehensive ones that a team holds; the district has all items, another scope those that its units hold, with the list of their kind for 镇街."
-- source = "2024年工作报告（镇108项、街道90项；共1026项）。2024 report (镇 108, 街道 90; 1026 items)"
-- unit = "items"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [parameters.list]
-- values = ["all", "zhen", "jiedao", "comprehensive"]
-- default = "all"
-- [prometheus]
-- name = "items_listed"
-- type = "gauge"
-- window = "now"
select
    choices.choice,
    item_holdings.scope_id,
    item_holdings.period_start,
    item_holdings.item_code,
    item_holdings.name,
    item_holdings.domain,
    item_holdings.holder_id
from choices
cross join item_holdings
where
    case $list
        when 'zhen' then for_zhen
        when 'jiedao' then for_jiedao
        when 'comprehensive' then is_comprehensive
        else true
    end
