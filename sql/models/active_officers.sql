-- title_zh = "期间活跃执法人员"
-- title_en = "Officers active at $level in each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start"]
with active_days as (
    -- A scope's officers of one day: an officer who serves two of its units that day is one member.
    select
        scope_orgs.scope_id,
        period_days.period_start,
        officer_days.event_date,
        set_union(officer_days.officers) as officers
    from officer_days
    inner join period_days on officer_days.event_date = period_days.day
    inner join scope_orgs
        on
            officer_days.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where officer_days.level = case $level when 'L1' then 'L1' else 'L2' end
    group by scope_orgs.scope_id, period_days.period_start, officer_days.event_date
)

-- L3 asks for qualifying events on at least 4 distinct days of the period.
select
    scope_id,
    period_start,
    set_repeated(officers, case $level when 'L3' then 4 else 1 end) as officers
from active_days
group by scope_id, period_start
