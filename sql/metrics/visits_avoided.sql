-- title_zh = "减少入企次数"
-- title_en = "Visits avoided"
-- group = "inspection"
-- indicator = 15
-- definition = "期间内涉企联合检查减少的入企次数：每次联合检查的参加单位数减一之和；从一个单位看，所参加的每次联合检查按全部参加单位计。Sum over the joint visits of firms of the units that took part less one; seen from one unit, all units of each of its joint visits count."
-- source = "本系统定义。defined here"
-- unit = "visits"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "visits_avoided_total"
-- type = "counter"
-- window = "all"
select
    scope_id,
    period_start,
    inspection_id,
    joint_task_id,
    org_id,
    party_id,
    orgs,
    finished_date,
    orgs - 1 as value
from visits
where party_kind = 'firm' and orgs >= 2
