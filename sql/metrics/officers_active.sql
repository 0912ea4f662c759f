-- title_zh = "活跃执法人员数"
-- title_en = "Active officers"
-- definition = "期间内有事件的不同执法人员数（不论是否在册），按活跃层级。Distinct officers with events in the period, on the roster or not, by level. Distinct counts do not add up over units."
-- source = "defined here, levels as in officer_activity_ratio"
-- unit = "officers"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [parameters.level]
-- values = ["L1", "L2", "L3"]
-- default = "L2"
-- [prometheus]
-- name = "officers_active"
-- type = "gauge"
-- window = "28d"
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
),

active as (
    -- L3 asks for qualifying events on at least 4 distinct days of the period.
    select
        scope_id,
        period_start,
        set_repeated(officers, case $level when 'L3' then 4 else 1 end) as officers
    from active_days
    group by scope_id, period_start
)

select
    scope_id,
    period_start,
    set_count(officers) as value
from active
