-- title_zh = "高风险企业检查覆盖率"
-- title_en = "Coverage of high-risk firms"
-- group = "inspection"
-- definition = "期末名录中风险等级为高的企业，期间内至少被检查（入户）一次者所占比例。分母为全部名录内高风险企业，不分单位；不含日常巡查。Firms whose risk tier is high in the register on the last day of the period: those inspected at least once in it. The denominator is the whole register at every scope; visits without entry and patrols do not count."
-- source = "按风险监管（2025年目标监管精细化）；公式由本系统定义。supervision by risk (监管精细化 of the 2025 goals); formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "high_risk_coverage_ratio"
-- type = "gauge"
-- window = "year"
with firms as (
    select distinct
        periods.period_start,
        parties.party_id,
        coalesce(parties.district_id, '') as district_id
    from periods
    inner join parties
        on
            parties.kind = 'firm'
            and parties.risk_tier = 'high'
            and (parties.valid_from is null or parties.valid_from < periods.period_end)
            and (parties.valid_to is null or parties.valid_to >= periods.period_end)
),

district_totals as (
    select
        period_start,
        district_id,
        count(*) as firms
    from firms
    group by period_start, district_id
),

totals as (
    select
        scope_parties.scope_id,
        district_totals.period_start,
        sum(district_totals.firms) as firms
    from district_totals
    inner join scope_parties on district_totals.district_id = scope_parties.district_id
    group by scope_parties.scope_id, district_totals.period_start
),

covered_firms as (
    select distinct
        visits.scope_id,
        visits.period_start,
        visits.party_id
    from firms
    inner join visits
        on
            firms.party_id = visits.party_id
            and firms.period_start = visits.period_start
    inner join scope_parties
        on
            visits.scope_id = scope_parties.scope_id
            and firms.district_id = scope_parties.district_id
    where visits.is_entered
),

covered as (
    select
        scope_id,
        period_start,
        count(*) as firms
    from covered_firms
    group by scope_id, period_start
)

select
    totals.scope_id,
    totals.period_start,
    coalesce(covered.firms, 0) as numerator,
    totals.firms as denominator
from totals
left join covered
    on
        totals.scope_id = covered.scope_id
        and totals.period_start = covered.period_start
-- rows
with firms as (
    select distinct
        periods.period_start,
        parties.party_id,
        coalesce(parties.district_id, '') as district_id
    from periods
    inner join parties
        on
            parties.kind = 'firm'
            and parties.risk_tier = 'high'
            and (parties.valid_from is null or parties.valid_from < periods.period_end)
            and (parties.valid_to is null or parties.valid_to >= periods.period_end)
),

inspected as (
    select
        scope_id,
        period_start,
        party_id,
        count(*) as visits,
        max(finished_date) as last_visit
    from visits
    where is_entered
    group by scope_id, period_start, party_id
)

select
    scope_parties.scope_id,
    firms.period_start,
    firms.party_id,
    coalesce(inspected.visits, 0) as visits,
    inspected.last_visit
from scope_parties
inner join firms on scope_parties.district_id = firms.district_id
left join inspected
    on
        scope_parties.scope_id = inspected.scope_id
        and firms.period_start = inspected.period_start
        and firms.party_id = inspected.party_id
