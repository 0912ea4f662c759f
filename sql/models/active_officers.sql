-- title_zh = "期间活跃执法人员"
-- title_en = "Officers active at $level in each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start"]
with member_days as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        officer_days.event_date,
        officer_days.officers
    from officer_days
    inner join period_days on officer_days.event_date = period_days.day
    inner join scope_orgs
        on
            officer_days.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where
        officer_days.level = case $level when 'L1' then 'L1' else 'L2' end
        and officer_days.event_date >= $from
        and officer_days.event_date < $to
),

scope_days as (
    -- An officer who serves two units of a scope on one day has been active on one day.
    select
        scope_id,
        period_start,
        event_date,
        set_union(officers) as officers
    from member_days
    where $level = 'L3'
    group by scope_id, period_start, event_date
)

select
    scope_id,
    period_start,
    set_union(officers) as officers
from member_days
where $level <> 'L3'
group by scope_id, period_start
union all
-- L3 asks for qualifying events on at least 4 distinct days of the period.
select
    scope_id,
    period_start,
    set_repeated(officers, 4) as officers
from scope_days
group by scope_id, period_start
