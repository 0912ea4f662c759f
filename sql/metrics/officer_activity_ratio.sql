-- title_zh = "执法人员活跃度"
-- title_en = "Officer activity ratio"
-- definition = "在册执法人员中，期间内活跃者所占比例。L1：至少登录一次；L2：至少一次实质业务（参与检查、巡查、办案环节、监督）；L3：至少 4 个不同日期有实质业务。分母为期末在册人数。Officers of the roster at the end of the period who were active in it, by level."
-- source = "defined here (no official formula is published; nearest is 岗位人员关联率 of Beijing Dongcheng 2019); second officer counts: 行政处罚法 art. 42"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- suppress_below = 5
-- uses = ["roster"]
-- [parameters.level]
-- values = ["L1", "L2", "L3"]
-- default = "L2"
-- [prometheus]
-- name = "officer_activity_ratio"
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
    roster.scope_id,
    roster.period_start,
    set_count(set_intersect(active.officers, roster.officers)) as numerator,
    set_count(roster.officers) as denominator
from roster
left join active
    on roster.scope_id = active.scope_id and roster.period_start = active.period_start
