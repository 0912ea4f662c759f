-- title_zh = "执法领域覆盖率"
-- title_en = "Domains reached by comprehensive enforcement"
-- group = "reform"
-- indicator = 40
-- definition = "期末在册事项所涉的全部执法领域中，至少有一项由支队行使（teams），或至少有一项列入镇街清单（towns）者所占比例。仅全区。Of all domains of the items in force at the end of the period, those with at least one item that a team exercises (teams) or that is on a list of 镇 or 街道 (towns). Whole district only."
-- source = "渝府办发〔2023〕74号（镇街执法领域覆盖2023年底40%、2025年底70%）。渝府办发〔2023〕74号 (镇街: 40 % of domains by the end of 2023, 70 % by the end of 2025)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [parameters.level]
-- values = ["teams", "towns"]
-- default = "teams"
-- [prometheus]
-- name = "domain_coverage_ratio"
-- type = "gauge"
-- window = "now"
select
    choices.choice,
    item_holdings.scope_id,
    item_holdings.period_start,
    item_holdings.domain,
    count(*) as items,
    bool_or(case $level when 'towns' then for_zhen or for_jiedao else is_comprehensive end) as numerator
from choices
cross join item_holdings
where
    item_holdings.scope_id in (select scope_id from scope_levels)
    and item_holdings.domain is not null
group by
    choices.choice,
    item_holdings.scope_id,
    item_holdings.period_start,
    item_holdings.domain
