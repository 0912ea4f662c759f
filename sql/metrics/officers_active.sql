-- title_zh = "活跃执法人员数"
-- title_en = "Active officers"
-- definition = "期间内有事件的不同执法人员数（不论是否在册），按活跃层级。Distinct officers with events in the period, on the roster or not, by level. Distinct counts do not add up over units."
-- source = "defined here, levels as in officer_activity_ratio"
-- unit = "officers"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- uses = ["active_officers"]
-- [parameters.level]
-- values = ["L1", "L2", "L3"]
-- default = "L2"
-- [prometheus]
-- name = "officers_active"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    set_count(officers) as value
from active_officers
