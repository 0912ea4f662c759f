-- title_zh = "人均处罚量"
-- title_en = "Penalty decisions per officer"
-- group = "case"
-- indicator = 8
-- definition = "期间内处罚决定数与期末在册执法人员数之比；仅供内部掌握，不排名、不考核。在册不足 5 人的不显示。Decisions of the period per officer on the roster at its end; for internal use, never ranked and never a target. Withheld below 5 officers."
-- source = "北京市东城区2019年人均处罚量，受《行政处罚法》第七十四条限制。人均处罚量 of Beijing Dongcheng 2019, limited by 行政处罚法 art. 74"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "guardrail"
-- grains = ["quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [prometheus]
-- name = "penalties_per_officer"
-- type = "gauge"
-- window = "none"
with decided as (
    select
        scope_id,
        period_start,
        count(*) as decisions
    from decided_cases
    group by scope_id, period_start
)

select
    roster.scope_id,
    roster.period_start,
    coalesce(decided.decisions, 0) as numerator,
    set_count(roster.officers) as denominator
from roster
left join decided
    on
        roster.scope_id = decided.scope_id
        and roster.period_start = decided.period_start
-- rows
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    decided_date
from decided_cases
