-- title_zh = "执法人员活跃度"
-- title_en = "Officer activity ratio"
-- group = "usage"
-- indicator = 3
-- definition = "在册执法人员中，期间内活跃者所占比例。L1：至少登录一次；L2：至少一次实质业务（参与检查、巡查、办案环节、监督）；L3：至少 4 个不同日期有实质业务。分母为期末在册人数。Officers of the roster at the end of the period who were active in it, by level."
-- source = "本系统定义（官方未公布公式，最接近的是北京市东城区2019年岗位人员关联率）；第二名执法人员计入依据《行政处罚法》第四十二条。defined here (no official formula is published; nearest is 岗位人员关联率 of Beijing Dongcheng 2019); second officer counts: 行政处罚法 art. 42"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- suppress_below = 5
-- [thresholds]
-- warn = 0.8
-- source = "本系统对 L2 层级定义（usage_low）；80%为北京市东城区2019年计分线。defined here for level L2 (DOMAIN: usage_low); 80 % is the scoring line of Beijing Dongcheng 2019"
-- [parameters.level]
-- values = ["L1", "L2", "L3"]
-- default = "L2"
-- [prometheus]
-- name = "officer_activity_ratio"
-- type = "gauge"
-- window = "28d"
select
    roster.scope_id,
    roster.period_start,
    set_count(set_intersect(active_officers.officers, roster.officers)) as numerator,
    set_count(roster.officers) as denominator
from roster
left join active_officers
    on
        roster.scope_id = active_officers.scope_id
        and roster.period_start = active_officers.period_start
-- rows
with members as (
    select
        scope_id,
        period_start,
        unnest(set_numbers(officers)) as officer_no
    from roster
),

active as (
    select
        scope_id,
        period_start,
        unnest(set_numbers(officers)) as officer_no
    from active_officers
)

select
    members.scope_id,
    members.period_start,
    officer_numbers.officer_id,
    active.officer_no is not null as is_active
from members
inner join officer_numbers on members.officer_no = officer_numbers.officer_no
left join active
    on
        members.scope_id = active.scope_id
        and members.period_start = active.period_start
        and members.officer_no = active.officer_no
