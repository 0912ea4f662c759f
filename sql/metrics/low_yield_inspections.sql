-- title_zh = "低效检查"
-- title_en = "Low yield inspections"
-- group = "inspection"
-- indicator = 38
-- definition = "期间内，同一单位的同一执法人员对同一企业连续三次以上检查未发现问题的（人员，企业）对数。同一天的检查计一次，未能入户的不计也不打断；不含日常巡查。参加涉企检查的人员不足 5 人时不显示。(Officer, firm) pairs of a unit with three or more consecutive inspections without a problem in the period. Inspections of one day are one; those without entry neither count nor interrupt; patrols are not included. Withheld when fewer than 5 officers inspected firms."
-- source = "连续三次，同成都2025年一码检查；公式由本系统定义。three in a row, as in Chengdu 2025 (一码检查); formula defined here"
-- unit = "pairs"
-- kind = "count"
-- direction = "guardrail"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [prometheus]
-- name = "low_yield_inspections"
-- type = "gauge"
-- window = "year"
with found_pairs as (
    select
        scope_id,
        period_start,
        count(*) as pairs
    from low_yield_pairs
    group by scope_id, period_start
),

inspectors as (
    select
        scope_id,
        period_start,
        set_union(officers) as officers
    from finished_inspections
    where
        party_kind = 'firm'
        and (kind is distinct from 'patrol')
        and (result is distinct from 'no_entry')
    group by scope_id, period_start
)

select
    inspectors.scope_id,
    inspectors.period_start,
    coalesce(found_pairs.pairs, 0) as value,
    set_count(inspectors.officers) as denominator
from inspectors
left join found_pairs
    on
        inspectors.scope_id = found_pairs.scope_id
        and inspectors.period_start = found_pairs.period_start
-- rows
select
    low_yield_pairs.scope_id,
    low_yield_pairs.period_start,
    officer_numbers.officer_id,
    low_yield_pairs.party_id,
    low_yield_pairs.org_id,
    low_yield_pairs.checks,
    low_yield_pairs.last_check
from low_yield_pairs
inner join officer_numbers on low_yield_pairs.officer_no = officer_numbers.officer_no
