-- title_zh = "低效检查人员企业对"
-- title_en = "(Officer, firm) pairs of a unit with three or more consecutive inspections without a problem in the period"
-- kind = "view"
-- grain = ["scope_id", "period_start", "org_id", "officer_no", "party_id"]
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
)

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
