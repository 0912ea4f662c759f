-- title_zh = "静默工作日数"
-- title_en = "Silent working days"
-- definition = "截至期末，自最近一次实质业务（L2）之后经过的完整工作日数；从未有业务的单位自全库首日之后起算。Whole working days since the last level-2 event, up to the end of the period; a unit that never acted counts from the day after the lake's first."
-- source = "defined here (DOMAIN: unit_silent, 5 working days); calendar: State Council holiday notices"
-- unit = "days"
-- kind = "gauge"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "org_silent_working_days"
-- type = "gauge"
-- window = "now"
with first_day as (
    select min(event_date) as day
    from org_days
),

last_days as (
    select
        scope_orgs.scope_id,
        periods.period_start,
        periods.period_end,
        max(org_days.event_date) as last_day
    from periods
    inner join org_days on periods.period_end > org_days.event_date
    inner join event_types
        on org_days.event_type = event_types.event_type and event_types.activity_level = 2
    inner join scope_orgs
        on
            org_days.org_id = scope_orgs.org_id
            and org_days.event_date >= scope_orgs.valid_from
            and org_days.event_date < scope_orgs.valid_to
    group by scope_orgs.scope_id, periods.period_start, periods.period_end
),

scopes_asked as (
    select distinct
        scope_orgs.scope_id,
        periods.period_start,
        periods.period_end
    from scope_orgs
    inner join periods
        on
            periods.period_end > scope_orgs.valid_from
            and periods.period_end <= scope_orgs.valid_to
),

since as (
    -- A unit that never acted is silent since the lake's first day.
    select
        scopes_asked.scope_id,
        scopes_asked.period_start,
        scopes_asked.period_end,
        coalesce(last_days.last_day, first_day.day) as last_day
    from scopes_asked
    cross join first_day
    left join last_days
        on
            scopes_asked.scope_id = last_days.scope_id
            and scopes_asked.period_start = last_days.period_start
)

select
    since.scope_id,
    since.period_start,
    count(calendar.day) filter (
        where calendar.is_working_day and calendar.day > since.last_day
    ) as value
from since
inner join calendar on calendar.day >= since.last_day and calendar.day < since.period_end
where since.last_day is not null
group by since.scope_id, since.period_start, since.period_end, since.last_day
-- A year without a calendar makes the count unknown, never too small.
having count(calendar.day) = cast(since.period_end as int) - cast(since.last_day as int)
