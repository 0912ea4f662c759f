-- title_zh = "账号激活率"
-- title_en = "Officer activation ratio"
-- group = "usage"
-- indicator = 2
-- definition = "期末在册执法人员中，截至期末账号曾经使用（登录或有实质业务，不论在哪个单位）者所占比例。Officers of the roster at the end of the period whose account was ever used by then: a login or substantive work, in any unit."
-- source = "公式取自北京市东城区2019年岗位人员关联率，本系统作了调整（以使用代替关联）。formula: 岗位人员关联率 of Beijing Dongcheng 2019, adapted here (used instead of bound)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- suppress_below = 5
-- [thresholds]
-- warn = 0.8
-- source = "北京市东城区2019年岗位人员关联率自80%起计分。Beijing Dongcheng 2019 scores 岗位人员关联率 at 80 % and above"
-- [prometheus]
-- name = "officer_activation_ratio"
-- type = "gauge"
-- window = "now"
with used_days as (
    select
        event_date,
        set_union(officers) as officers
    from officer_days
    where event_date < $to
    group by event_date
),

used as (
    select
        periods.period_start,
        set_union(used_days.officers) as officers
    from periods
    inner join used_days on periods.period_end > used_days.event_date
    group by periods.period_start
)

select
    roster.scope_id,
    roster.period_start,
    set_count(set_intersect(used.officers, roster.officers)) as numerator,
    set_count(roster.officers) as denominator
from roster
left join used on roster.period_start = used.period_start
-- rows
with members as (
    select
        scope_id,
        period_start,
        unnest(set_numbers(officers)) as officer_no
    from roster
),

used_days as (
    select
        event_date,
        unnest(set_numbers(officers)) as officer_no
    from officer_days
    where event_date < $to
),

first_used as (
    select
        officer_no,
        min(event_date) as first_used_on
    from used_days
    group by officer_no
)

select
    members.scope_id,
    members.period_start,
    officer_numbers.officer_id,
    first_used.first_used_on,
    coalesce(first_used.first_used_on < periods.period_end, false) as is_activated
from members
inner join periods on members.period_start = periods.period_start
inner join officer_numbers on members.officer_no = officer_numbers.officer_no
left join first_used on members.officer_no = first_used.officer_no
