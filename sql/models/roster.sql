-- title_zh = "在册执法人员"
-- title_en = "Officers on the roster at the end of each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start"]
-- # Who is on the roster (roster_spans) on the last day of the period, unless on approved leave on more
-- # than half of the period's days.
with last_days as (
    select
        period_start,
        period_end,
        period_end - 1 as last_day
    from periods
),

spans as (
    -- Cut to the days asked for: whoever is there on all of them is in one set of the unit.
    select
        org_id,
        greatest(valid_from, cast($from as date)) as valid_from,
        least(valid_to, cast($to as date)) as valid_to,
        set_union(officers) as officers
    from roster_spans
    where valid_from < $to and valid_to > $from
    group by
        org_id,
        greatest(valid_from, cast($from as date)),
        least(valid_to, cast($to as date))
),

leave_days as (
    select
        leaves.officer_id,
        last_days.period_start,
        last_days.period_end,
        sum(
            least(cast(leaves.to_date as int), cast(last_days.period_end as int))
            - greatest(cast(leaves.from_date as int), cast(last_days.period_start as int))
        ) as days
    from leaves
    inner join last_days
        on
            leaves.from_date < last_days.period_end
            and leaves.to_date > last_days.period_start
    group by leaves.officer_id, last_days.period_start, last_days.period_end
),

away as (
    select
        leave_days.period_start,
        set_of(officer_numbers.officer_no) as officers
    from leave_days
    inner join officer_numbers on leave_days.officer_id = officer_numbers.officer_id
    where
        2 * leave_days.days
        > cast(leave_days.period_end as int) - cast(leave_days.period_start as int)
    group by leave_days.period_start
),

of_orgs as (
    select
        spans.org_id,
        last_days.period_start,
        last_days.last_day,
        set_union(spans.officers) as officers
    from last_days
    inner join spans
        on
            spans.valid_from <= last_days.last_day
            and spans.valid_to > last_days.last_day
    group by spans.org_id, last_days.period_start, last_days.last_day
),

of_scopes as (
    select
        scope_orgs.scope_id,
        of_orgs.period_start,
        set_union(of_orgs.officers) as officers
    from of_orgs
    inner join scope_orgs
        on
            of_orgs.org_id = scope_orgs.org_id
            and of_orgs.last_day >= scope_orgs.valid_from
            and of_orgs.last_day < scope_orgs.valid_to
    group by scope_orgs.scope_id, of_orgs.period_start
),

present as (
    select
        of_scopes.scope_id,
        of_scopes.period_start,
        set_minus(of_scopes.officers, away.officers) as officers
    from of_scopes
    left join away on of_scopes.period_start = away.period_start
)

select
    scope_id,
    period_start,
    officers
from present
where set_count(officers) > 0
