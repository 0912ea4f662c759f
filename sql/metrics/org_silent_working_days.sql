-- title_zh = "静默工作日数"
-- title_en = "Silent working days"
-- group = "usage"
-- definition = "截至期末，自最近一次实质业务（L2）之后经过的完整工作日数；从未有业务的单位自全库首日之后起算。Whole working days since the last level-2 event, up to the end of the period; a unit that never acted counts from the day after the lake's first."
-- source = "本系统定义（unit_silent：5个工作日）；日历依据国务院办公厅节假日安排通知。defined here (DOMAIN: unit_silent, 5 working days); calendar: State Council holiday notices"
-- unit = "days"
-- kind = "gauge"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [thresholds]
-- warn = 5
-- source = "本系统定义（unit_silent：5个工作日）。defined here (DOMAIN: unit_silent, 5 working days)"
-- [prometheus]
-- name = "org_silent_working_days"
-- type = "gauge"
-- window = "now"
with first_day as (
    select min(event_date) as day
    from org_days
),

acting_days as (
    select distinct
        org_days.org_id,
        org_days.event_date
    from org_days
    inner join event_types
        on org_days.event_type = event_types.event_type and event_types.activity_level = 2
),

moments as (
    -- Days with work, and last days of periods, in one order of time.
    select
        scope_orgs.scope_id,
        acting_days.event_date as day,
        acting_days.event_date as acting_day,
        cast(null as date) as period_start
    from acting_days
    inner join scope_orgs
        on
            acting_days.org_id = scope_orgs.org_id
            and acting_days.event_date >= scope_orgs.valid_from
            and acting_days.event_date < scope_orgs.valid_to
    union all
    select distinct
        scope_id,
        last_day as day,
        cast(null as date) as acting_day,
        period_start
    from scope_ends
),

followed as (
    select
        scope_id,
        day,
        period_start,
        max(acting_day) over (
            partition by scope_id
            order by day range between unbounded preceding and current row
        ) as acted_on
    from moments
),

since as (
    -- A unit that never acted is silent since the lake's first day.
    select
        followed.scope_id,
        followed.period_start,
        followed.day as last_day,
        coalesce(followed.acted_on, first_day.day) as acted_on
    from first_day
    cross join followed
    where followed.period_start is not null
)

-- A year without a calendar makes the count unknown, never too small.
select
    scope_id,
    period_start,
    working_days_between(acted_on, last_day) as value
from since
where acted_on <= last_day
