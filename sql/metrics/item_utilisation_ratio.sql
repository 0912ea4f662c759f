-- title_zh = "职权履行率"
-- title_en = "Items in use"
-- group = "reform"
-- indicator = 41
-- definition = "期末由范围内单位行使的执法事项中，期间内本范围单位至少在一件立案或一次检查中用到者所占比例；日常巡查不计。Of the enforcement items that the units of the scope hold at the end of the period, those that they used in at least one case filed or one inspection finished in it; patrols do not count."
-- source = "公式取自北京市东城区2019年处罚职权履行率。formula: 处罚职权履行率 of Beijing Dongcheng 2019"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "item_utilisation_ratio"
-- type = "gauge"
-- window = "year"
with uses as (
    select
        scope_id,
        period_start,
        item_code,
        'case' as use
    from filed_cases
    where item_code is not null
    union all
    select
        scope_id,
        period_start,
        item_code,
        'inspection' as use
    from finished_inspections
    where item_code is not null and (kind is distinct from 'patrol')
),

used as (
    select
        scope_id,
        period_start,
        item_code,
        count(*) filter (where use = 'case') as cases_filed,
        count(*) filter (where use = 'inspection') as inspections_finished
    from uses
    group by scope_id, period_start, item_code
)

select
    item_holdings.scope_id,
    item_holdings.period_start,
    item_holdings.item_code,
    item_holdings.name,
    item_holdings.holder_id,
    coalesce(used.cases_filed, 0) as cases_filed,
    coalesce(used.inspections_finished, 0) as inspections_finished,
    used.item_code is not null as numerator
from item_holdings
left join used
    on
        item_holdings.scope_id = used.scope_id
        and item_holdings.period_start = used.period_start
        and item_holdings.item_code = used.item_code
