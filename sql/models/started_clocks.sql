-- title_zh = "期间起算的法定时限"
-- title_en = "Clocks that started in each period and have ended, or should have by today, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start", "clock", "object_id"]
-- # One without a start counts on the day of its end. One whose limit lies in a year without a calendar is unknown.
select
    scope_orgs.scope_id,
    period_days.period_start,
    clocks.clock,
    clocks.object_id,
    clocks.org_id,
    clocks.party_id,
    clocks.start_date,
    clocks.due_date,
    clocks.stop_date,
    clocks.is_met
from clocks
inner join period_days on coalesce(clocks.start_date, clocks.stop_date) = period_days.day
inner join scope_orgs
    on
        clocks.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where
    coalesce(clocks.start_date, clocks.stop_date) >= $from
    and coalesce(clocks.start_date, clocks.stop_date) < $to
    and (
        clocks.start_date is null
        or (clocks.due_date is not null and clocks.stop_date is not null)
        or clocks.due_date < $as_of
    )
