-- title_zh = "静默单位数"
-- title_en = "Silent units"
-- group = "usage"
-- definition = "期末在册的执法主体和支队中，最近 5 个工作日（含期末当日）没有任何实质业务（L2）的单位数；从未有业务的单位自全库首日或其成立之日起算。Units in force at the end of the period, enforcement subjects and teams, without a level-2 event on any of the last five working days; one that never acted counts from the lake's first day, or from its own if that is later."
-- source = "本系统定义（unit_silent：5个工作日）；日历依据国务院办公厅节假日安排通知。defined here (DOMAIN: unit_silent, 5 working days); calendar: State Council holiday notices"
-- unit = "units"
-- kind = "gauge"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [prometheus]
-- name = "orgs_silent"
-- type = "gauge"
-- window = "now"
with working_days as (
    select
        periods.period_start,
        periods.period_end - 1 as last_day,
        calendar.day,
        row_number() over (partition by periods.period_start order by calendar.day desc) as place
    from periods
    inner join calendar
        on
            periods.period_end > calendar.day
            and periods.period_end - 30 <= calendar.day
    where calendar.is_working_day
),

fifth_days as (
    -- A unit is silent when it last acted before the fifth working day from the end. Where the calendar
    -- does not reach, nothing is known.
    select
        period_start,
        last_day,
        day
    from working_days
    where place = 5 and is_working_day(last_day) is not null
),

first_day as (
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
    where org_days.event_date < $to
),

last_acts as (
    select
        fifth_days.period_start,
        acting_days.org_id,
        max(acting_days.event_date) as acted_on
    from fifth_days
    inner join acting_days on fifth_days.last_day >= acting_days.event_date
    group by fifth_days.period_start, acting_days.org_id
),

first_versions as (
    select
        org_id,
        min(coalesce(valid_from, date '1900-01-01')) as valid_from
    from orgs
    group by org_id
),

units as (
    select distinct
        scope_ends.scope_id,
        scope_ends.period_start,
        scope_ends.org_id,
        first_versions.valid_from
    from scope_ends
    inner join orgs
        on
            scope_ends.org_id = orgs.org_id
            and (orgs.valid_from is null or orgs.valid_from <= scope_ends.last_day)
            and (orgs.valid_to is null or orgs.valid_to > scope_ends.last_day)
    inner join first_versions on orgs.org_id = first_versions.org_id
    where orgs.is_subject or orgs.kind = 'team'
)

select
    units.scope_id,
    units.period_start,
    units.org_id,
    last_acts.acted_on,
    working_days_between(
        coalesce(last_acts.acted_on, greatest(first_day.day, units.valid_from)), fifth_days.last_day
    ) as silent_working_days,
    coalesce(last_acts.acted_on, greatest(first_day.day, units.valid_from)) < fifth_days.day as value
from units
inner join fifth_days on units.period_start = fifth_days.period_start
cross join first_day
left join last_acts
    on
        units.period_start = last_acts.period_start
        and units.org_id = last_acts.org_id
where first_day.day <= fifth_days.last_day
