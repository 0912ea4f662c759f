-- title_zh = "期间活跃执法人员"
-- title_en = "Officers active at $level in each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start"]
with by_period as (
    -- An officer who serves two units of a scope on one day has been active on one day.
    select
        scope_orgs.scope_id,
        period_sets(
            officer_days.officers,
            officer_days.event_date,
            case $level when 'L3' then 4 else 1 end
        ) as periods
    from officer_days
    inner join scope_orgs
        on
            officer_days.org_id = scope_orgs.org_id
            and officer_days.event_date >= scope_orgs.valid_from
            and officer_days.event_date < scope_orgs.valid_to
    where
        officer_days.level = case $level when 'L1' then 'L1' else 'L2' end
        and officer_days.event_date >= $from
        and officer_days.event_date < $to
    group by scope_orgs.scope_id
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
