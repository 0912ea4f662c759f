-- title_zh = "期末未停的法定时限"
-- title_en = "Clocks still running at the end of each period, or today if that is earlier, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start", "clock", "object_id"]
with last_days as (
    select
        period_start,
        least(period_end - 1, $as_of) as last_day
    from periods
),

running as (
    select
        last_days.period_start,
        last_days.last_day,
        clocks.*
    from last_days
    inner join clocks
        on
            clocks.start_date <= last_days.last_day
            and (clocks.stop_date is null or clocks.stop_date > last_days.last_day)
    -- Leaves out early what has stopped before all of them.
    where clocks.stop_date is null or clocks.stop_date > least($from, $as_of)
)

select
    scope_ends.scope_id,
    running.period_start,
    running.last_day,
    running.clock,
    running.rule,
    running.object_id,
    running.org_id,
    running.party_id,
    running.start_date,
    running.due_date,
    running.due_date - running.last_day as days_left
from running
inner join scope_ends
    on
        running.period_start = scope_ends.period_start
        and running.org_id = scope_ends.org_id
