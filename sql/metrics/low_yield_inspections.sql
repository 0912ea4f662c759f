-- title_zh = "低效检查"
-- title_en = "Low yield inspections"
-- group = "inspection"
-- indicator = 38
-- definition = "期间内，同一单位的同一执法人员对同一企业连续三次以上检查未发现问题的（人员，企业）对数。同一天的检查计一次，未能入户的不计也不打断；不含日常巡查。参加涉企检查的人员不足 5 人时不显示。(Officer, firm) pairs of a unit with three or more consecutive inspections without a problem in the period. Inspections of one day are one; those without entry neither count nor interrupt; patrols are not included. Withheld when fewer than 5 officers inspected firms."
-- source = "three in a row, as in Chengdu 2025 (一码检查); formula defined here"
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
with checks as (
    select
        inspections.org_id,
        inspections.party_id,
        period_days.period_start,
        inspections.finished_date,
        inspections.officers,
        inspections.result is distinct from 'no_problem' as has_found
    from inspections
    inner join period_days on inspections.finished_date = period_days.day
    where
        inspections.finished_date >= $from
        and inspections.finished_date < $to
        and inspections.party_kind = 'firm'
        and inspections.party_id is not null
        and (inspections.kind is distinct from 'patrol')
        and (inspections.result is distinct from 'no_entry')
),

frequent as (
    select
        org_id,
        party_id,
        period_start
    from checks
    group by org_id, party_id, period_start
    having count(*) >= 3
),

parts as (
    select
        checks.org_id,
        checks.party_id,
        checks.period_start,
        checks.finished_date,
        checks.has_found,
        unnest(set_numbers(checks.officers)) as officer_no
    from checks
    inner join frequent
        on
            checks.org_id = frequent.org_id
            and checks.party_id = frequent.party_id
            and checks.period_start = frequent.period_start
),

daily as (
    -- What an officer finds at a firm on one day is one check, however many items it has.
    select
        org_id,
        officer_no,
        party_id,
        period_start,
        finished_date,
        max(case when has_found then 1 else 0 end) as found
    from parts
    group by org_id, officer_no, party_id, period_start, finished_date
),

numbered as (
    select
        org_id,
        officer_no,
        party_id,
        period_start,
        finished_date,
        found,
        sum(found) over (
            partition by org_id, officer_no, party_id, period_start
            order by finished_date
        ) as run
    from daily
),

runs as (
    select
        org_id,
        officer_no,
        party_id,
        period_start,
        run,
        count(*) filter (where found = 0) as checks,
        max(finished_date) filter (where found = 0) as last_check
    from numbered
    group by org_id, officer_no, party_id, period_start, run
    having count(*) filter (where found = 0) >= 3
),

pairs as (
    select
        org_id,
        officer_no,
        party_id,
        period_start,
        max(checks) as checks,
        max(last_check) as last_check
    from runs
    group by org_id, officer_no, party_id, period_start
),

scope_pairs as (
    select
        scope_orgs.scope_id,
        pairs.period_start,
        pairs.org_id,
        pairs.officer_no,
        pairs.party_id,
        pairs.checks,
        pairs.last_check
    from pairs
    inner join scope_orgs
        on
            pairs.org_id = scope_orgs.org_id
            and pairs.last_check >= scope_orgs.valid_from
            and pairs.last_check < scope_orgs.valid_to
),

found_pairs as (
    select
        scope_id,
        period_start,
        count(*) as pairs
    from scope_pairs
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
with checks as (
    select
        inspections.org_id,
        inspections.party_id,
        period_days.period_start,
        inspections.finished_date,
        inspections.officers,
        inspections.result is distinct from 'no_problem' as has_found
    from inspections
    inner join period_days on inspections.finished_date = period_days.day
    where
        inspections.finished_date >= $from
        and inspections.finished_date < $to
        and inspections.party_kind = 'firm'
        and inspections.party_id is not null
        and (inspections.kind is distinct from 'patrol')
        and (inspections.result is distinct from 'no_entry')
),

frequent as (
    select
        org_id,
        party_id,
        period_start
    from checks
    group by org_id, party_id, period_start
    having count(*) >= 3
),

parts as (
    select
        checks.org_id,
        checks.party_id,
        checks.period_start,
        checks.finished_date,
        checks.has_found,
        unnest(set_numbers(checks.officers)) as officer_no
    from checks
    inner join frequent
        on
            checks.org_id = frequent.org_id
            and checks.party_id = frequent.party_id
            and checks.period_start = frequent.period_start
),

daily as (
    -- What an officer finds at a firm on one day is one check, however many items it has.
    select
        org_id,
        officer_no,
        party_id,
        period_start,
        finished_date,
        max(case when has_found then 1 else 0 end) as found
    from parts
    group by org_id, officer_no, party_id, period_start, finished_date
),

numbered as (
    select
        org_id,
        officer_no,
        party_id,
        period_start,
        finished_date,
        found,
        sum(found) over (
            partition by org_id, officer_no, party_id, period_start
            order by finished_date
        ) as run
    from daily
),

runs as (
    select
        org_id,
        officer_no,
        party_id,
        period_start,
        run,
        count(*) filter (where found = 0) as checks,
        max(finished_date) filter (where found = 0) as last_check
    from numbered
    group by org_id, officer_no, party_id, period_start, run
    having count(*) filter (where found = 0) >= 3
),

pairs as (
    select
        org_id,
        officer_no,
        party_id,
        period_start,
        max(checks) as checks,
        max(last_check) as last_check
    from runs
    group by org_id, officer_no, party_id, period_start
),

scope_pairs as (
    select
        scope_orgs.scope_id,
        pairs.period_start,
        pairs.org_id,
        pairs.officer_no,
        pairs.party_id,
        pairs.checks,
        pairs.last_check
    from pairs
    inner join scope_orgs
        on
            pairs.org_id = scope_orgs.org_id
            and pairs.last_check >= scope_orgs.valid_from
            and pairs.last_check < scope_orgs.valid_to
)

select
    scope_pairs.scope_id,
    scope_pairs.period_start,
    officer_numbers.officer_id,
    scope_pairs.party_id,
    scope_pairs.org_id,
    scope_pairs.checks,
    scope_pairs.last_check
from scope_pairs
inner join officer_numbers on scope_pairs.officer_no = officer_numbers.officer_no
