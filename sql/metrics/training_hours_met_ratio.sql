-- title_zh = "60学时达标率"
-- title_en = "Officers with 60 hours of training"
-- group = "usage"
-- indicator = 50
-- definition = "期末在册执法人员中，自期末所在年度 1 月 1 日至期末累计培训满 60 学时者所占比例；学时随人计算，不论在哪个单位取得。Officers of the roster at the end of the period with at least 60 hours of training from 1 January of the year of its last day up to then; the hours are those of the person, in whichever unit they were earned."
-- source = "2024年工作报告（每人每年60学时）。2024 report (60 学时 per officer and year)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["year", "all"]
-- rankable = false
-- suppress_below = 5
-- [prometheus]
-- name = "training_met_ratio"
-- type = "gauge"
-- window = "year"
with hours as (
    select
        periods.period_start,
        trainings.officer_id,
        sum(trainings.hours) as hours
    from periods
    inner join trainings
        on
            trainings.event_date < periods.period_end
            and trainings.event_date >= cast(date_trunc('year', periods.period_end - 1) as date)
    group by periods.period_start, trainings.officer_id
),

met as (
    select
        hours.period_start,
        set_of(officer_numbers.officer_no) as officers
    from hours
    inner join officer_numbers on hours.officer_id = officer_numbers.officer_id
    where hours.hours >= 60
    group by hours.period_start
)

select
    roster.scope_id,
    roster.period_start,
    set_count(set_intersect(met.officers, roster.officers)) as numerator,
    set_count(roster.officers) as denominator
from roster
left join met on roster.period_start = met.period_start
-- rows
with members as (
    select
        scope_id,
        period_start,
        unnest(set_numbers(officers)) as officer_no
    from roster
),

hours as (
    select
        periods.period_start,
        trainings.officer_id,
        sum(trainings.hours) as hours
    from periods
    inner join trainings
        on
            trainings.event_date < periods.period_end
            and trainings.event_date >= cast(date_trunc('year', periods.period_end - 1) as date)
    group by periods.period_start, trainings.officer_id
)

select
    members.scope_id,
    members.period_start,
    officer_numbers.officer_id,
    coalesce(hours.hours, 0) as hours,
    coalesce(hours.hours, 0) >= 60 as is_met
from members
inner join officer_numbers on members.officer_no = officer_numbers.officer_no
left join hours
    on
        members.period_start = hours.period_start
        and officer_numbers.officer_id = hours.officer_id
