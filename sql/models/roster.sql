-- title_zh = "在册执法人员"
-- title_en = "Officers on the roster at the end of each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start"]
-- # A posting counts when it, the certificate and the account hold on the last day of the period, unless
-- # the officer was on approved leave on more than half of the period's days. A register that does not
-- # record certificates or accounts (one derived from a log) leaves them open.
with last_days as (
    select
        period_start,
        period_end,
        period_end - 1 as last_day
    from periods
),

leave_days as (
    select
        leaves.officer_id,
        last_days.period_start,
        sum(
            least(cast(leaves.to_date as int), cast(last_days.period_end as int))
            - greatest(cast(leaves.from_date as int), cast(last_days.period_start as int))
        ) as days
    from leaves
    inner join last_days
        on
            leaves.from_date < last_days.period_end
            and leaves.to_date > last_days.period_start
    group by leaves.officer_id, last_days.period_start
),

away as (
    select
        leave_days.officer_id,
        leave_days.period_start
    from leave_days
    inner join last_days on leave_days.period_start = last_days.period_start
    where
        2 * leave_days.days
        > cast(last_days.period_end as int) - cast(last_days.period_start as int)
)

select
    scope_orgs.scope_id,
    last_days.period_start,
    set_of(officer_numbers.officer_no) as officers
from last_days
inner join officers
    on
        (officers.valid_from is null or officers.valid_from <= last_days.last_day)
        and (officers.valid_to is null or officers.valid_to > last_days.last_day)
        and (officers.certificate_from is null or officers.certificate_from <= last_days.last_day)
        and (officers.certificate_to is null or officers.certificate_to > last_days.last_day)
        and (
            officers.onboarded_on <= last_days.last_day
            or (officers.onboarded_on is null and officers.certificate_no is null)
        )
left anti join away
    on
        officers.officer_id = away.officer_id
        and last_days.period_start = away.period_start
inner join officer_numbers on officers.officer_id = officer_numbers.officer_id
inner join scope_orgs
    on
        officers.org_id = scope_orgs.org_id
        and last_days.last_day >= scope_orgs.valid_from
        and last_days.last_day < scope_orgs.valid_to
group by scope_orgs.scope_id, last_days.period_start
