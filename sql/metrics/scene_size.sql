-- title_zh = "监管一件事场景规模"
-- title_en = "Size of a scene"
-- group = "reform"
-- indicator = 56
-- definition = "一个“监管一件事”场景涉及的事项、部门或镇街数，按登记的现状，不论是否上线；几个区各自登记的同一场景相加。仅全区。Items, departments or 镇街 that a scene of 监管一件事 joins, as registered now, live or not; of a scene that several districts register, the sum. Whole district only."
-- source = "2024年工作报告（夜市：12项、5个部门、22个镇街）。2024 report (夜市: 12 items, 5 departments, 22 镇街)"
-- unit = "count"
-- kind = "gauge"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [parameters.scene]
-- values = ["night-market", "parking", "road-excavation", "fumes", "spoil-transport", "campus-surroundings", "construction-noise", "lift-safety"]
-- default = "night-market"
-- [parameters.part]
-- values = ["items", "departments", "towns"]
-- default = "items"
-- [prometheus]
-- name = "scene_size"
-- type = "gauge"
-- window = "none"
select
    choices.choice,
    scope_scenes.scope_id,
    scope_scenes.period_start,
    scope_scenes.scene_id,
    scope_scenes.district_id,
    scope_scenes.name,
    scope_scenes.status,
    scope_scenes.live_on,
    case $part
        when 'departments' then scope_scenes.departments
        when 'towns' then scope_scenes.towns
        else scope_scenes.items
    end as value
from choices
cross join scope_scenes
where scope_scenes.scene_id = $scene
