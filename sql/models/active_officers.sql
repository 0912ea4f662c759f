-- title_zh = "期间活跃执法人员"
-- title_en = "Officers active at $level in each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start"]
with parts as (
    select scope_orgs.*
    from scope_orgs
    where scope_orgs.scope_id not in (select scope_id from scope_levels where is_whole)
),

days as (
    select
        parts.scope_id,
        officer_days.event_date,
        officer_days.officers
    from officer_days
    inner join parts
        on
            officer_days.org_id = parts.org_id
            and officer_days.event_date >= parts.valid_from
            and officer_days.event_date < parts.valid_to
    where
        officer_days.level = case $level when 'L1' then 'L1' else 'L2' end
        and officer_days.event_date >= $from
        and officer_days.event_date < $to
    union all
    -- The whole tree has the days of all units, however many there are.
    select
        scope_levels.scope_id,
        officer_days_all.event_date,
        officer_days_all.officers
    from scope_levels
    cross join officer_days_all
    where
        scope_levels.is_whole
        and officer_days_all.level = case $level when 'L1' then 'L1' else 'L2' end
        and officer_days_all.event_date >= $from
        and officer_days_all.event_date < $to
),

by_period as (
    -- An officer who serves two units of a scope on one day has been active on one day.
    select
        scope_id,
        period_sets(
            officers,
            event_date,
            case $level when 'L3' then 4 else 1 end
        ) as periods
    from days
    group by scope_id
),

active as (
    select
        scope_id,
        unnest(periods) as period
    from by_period
)

select
    scope_id,
    period['period_start'] as period_start,
    period['officers'] as officers
from active
