-- title_zh = "活跃度变化"
-- title_en = "Change of activity"
-- group = "usage"
-- definition = "截至期末的最近 28 天内 L2 活跃度，减去此前 4 个 28 天窗口 L2 活跃度的中位数；各窗口均以期末在册人员为分母，同一批人自比；数据不足 140 天时不计算。Share of the roster at the end of the period who did substantive work in the 28 days up to then, less the median of that share in the four windows of 28 days before; the same officers are compared with themselves. No value where the log does not reach back 140 days."
-- source = "本系统定义（usage_drop）。defined here (DOMAIN: usage_drop)"
-- unit = "ratio points"
-- kind = "gauge"
-- direction = "up"
-- grains = ["week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [thresholds]
-- warn = -0.1
-- source = "本系统定义（usage_drop：下降10个百分点及以上）。defined here (DOMAIN: usage_drop, down by 10 percentage points or more)"
-- [prometheus]
-- name = "activity_drop"
-- type = "gauge"
-- window = "now"
with days_before as (
    -- Five windows of 28 days; window 0 is the newest.
    select
        period_start,
        period_end - 1 as last_day,
        unnest(generate_series(0, 139)) as days
    from periods
),

window_days as (
    select
        period_start,
        last_day - days as day,
        days / 28 as window_no
    from days_before
),

active as (
    select
        scope_orgs.scope_id,
        window_days.period_start,
        window_days.window_no,
        set_union(officer_days.officers) as officers
    from officer_days
    inner join window_days on officer_days.event_date = window_days.day
    inner join scope_orgs
        on
            officer_days.org_id = scope_orgs.org_id
            and officer_days.event_date >= scope_orgs.valid_from
            and officer_days.event_date < scope_orgs.valid_to
    where officer_days.level = 'L2'
    group by scope_orgs.scope_id, window_days.period_start, window_days.window_no
),

covered as (
    -- Windows from before the log began would look idle.
    select
        window_days.period_start,
        window_days.window_no
    from (select min(event_date) as day from org_days) as first_day
    cross join window_days
    group by window_days.period_start, window_days.window_no
    having min(window_days.day) >= min(first_day.day)
),

shares as (
    select
        roster.scope_id,
        roster.period_start,
        covered.window_no,
        set_count(roster.officers) as officers,
        cast(set_count(set_intersect(active.officers, roster.officers)) as double)
        / set_count(roster.officers) as share
    from roster
    inner join covered on roster.period_start = covered.period_start
    left join active
        on
            roster.scope_id = active.scope_id
            and roster.period_start = active.period_start
            and covered.window_no = active.window_no
)

select
    scope_id,
    period_start,
    max(share) filter (where window_no = 0) - median(share) filter (where window_no > 0) as value,
    max(officers) as denominator
from shares
group by scope_id, period_start
having count(*) = 5
