-- title_zh = "活跃执法人员数"
-- title_en = "Active officers"
-- group = "usage"
-- definition = "期间内有事件的不同执法人员数（不论是否在册），按活跃层级；在册与活跃合计不足 5 人的单位不予显示。Distinct officers with events in the period, on the roster or not, by level. Distinct counts do not add up over units; withheld where roster and active officers together are fewer than 5."
-- source = "本系统定义，层级同 officer_activity_ratio。defined here, levels as in officer_activity_ratio"
-- unit = "officers"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [parameters.level]
-- values = ["L1", "L2", "L3"]
-- default = "L2"
-- [prometheus]
-- name = "officers_active"
-- type = "gauge"
-- window = "28d"
with persons as (
    select
        scope_id,
        period_start,
        officers,
        true as is_active
    from active_officers
    union all
    select
        scope_id,
        period_start,
        officers,
        false as is_active
    from roster
)

select
    scope_id,
    period_start,
    set_count(set_union(officers) filter (where is_active)) as value,
    set_count(set_union(officers)) as denominator
from persons
group by scope_id, period_start
-- rows
with active as (
    select
        scope_id,
        period_start,
        unnest(set_numbers(officers)) as officer_no
    from active_officers
)

select
    active.scope_id,
    active.period_start,
    officer_numbers.officer_id
from active
inner join officer_numbers on active.officer_no = officer_numbers.officer_no
