-- title_zh = "只登录不办事比例"
-- title_en = "Officers who only log in"
-- group = "usage"
-- definition = "期末在册执法人员中，期间内登录过（L1）而没有任何实质业务（L2）者所占比例。Officers of the roster at the end of the period who logged in during it and did no substantive work."
-- source = "本系统定义（login_only：L1 与 L2 之差）。defined here (DOMAIN: login_only, the gap between L1 and L2)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [thresholds]
-- warn = 0.2
-- source = "本系统定义（login_only：超过20个百分点）。defined here (DOMAIN: login_only, above 20 percentage points)"
-- [prometheus]
-- name = "login_only_ratio"
-- type = "gauge"
-- window = "28d"
with active as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        set_union(officer_days.officers) filter (where officer_days.level = 'L1') as logged_in,
        set_union(officer_days.officers) filter (where officer_days.level = 'L2') as worked
    from officer_days
    inner join period_days
        on
            officer_days.event_date = period_days.day
            and officer_days.event_date >= $from
            and officer_days.event_date < $to
    inner join scope_orgs
        on
            officer_days.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where officer_days.level in ('L1', 'L2')
    group by scope_orgs.scope_id, period_days.period_start
),

members as (
    select
        roster.scope_id,
        roster.period_start,
        roster.officers,
        set_intersect(active.logged_in, roster.officers) as logged_in,
        active.worked
    from roster
    left join active
        on
            roster.scope_id = active.scope_id
            and roster.period_start = active.period_start
)

select
    scope_id,
    period_start,
    set_count(logged_in) - set_count(set_intersect(logged_in, worked)) as numerator,
    set_count(officers) as denominator
from members
-- rows
with members as (
    select
        scope_id,
        period_start,
        unnest(set_numbers(officers)) as officer_no
    from roster
),

active_days as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        period_days.day,
        officer_days.level,
        unnest(set_numbers(officer_days.officers)) as officer_no
    from officer_days
    inner join period_days
        on
            officer_days.event_date = period_days.day
            and officer_days.event_date >= $from
            and officer_days.event_date < $to
    inner join scope_orgs
        on
            officer_days.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where officer_days.level in ('L1', 'L2')
),

active as (
    select
        scope_id,
        period_start,
        officer_no,
        max(day) filter (where level = 'L1') as last_login_on,
        count(distinct day) filter (where level = 'L1') as login_days,
        count(distinct day) filter (where level = 'L2') as work_days
    from active_days
    group by scope_id, period_start, officer_no
)

select
    members.scope_id,
    members.period_start,
    officer_numbers.officer_id,
    active.last_login_on,
    active.login_days
from members
inner join active
    on
        members.scope_id = active.scope_id
        and members.period_start = active.period_start
        and members.officer_no = active.officer_no
inner join officer_numbers on members.officer_no = officer_numbers.officer_no
where active.login_days > 0 and active.work_days = 0
