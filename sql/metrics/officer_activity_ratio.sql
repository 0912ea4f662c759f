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
-- uses = ["active_officers", "roster"]
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
