-- title_zh = "已上线监管一件事场景数"
-- title_en = "Live scenes"
-- group = "reform"
-- indicator = 56
-- definition = "期末已上线的“监管一件事”场景数；谋划、揭榜中的不计。仅全区。Scenes of 监管一件事 that are live at the end of the period, without those planned or selected. Whole district only."
-- source = "渝府办发〔2023〕74号（全市2025年底30个、2027年50个）；计数规则由本系统定义。渝府办发〔2023〕74号 (city: 30 by the end of 2025, 50 by 2027); counting rule defined here"
-- unit = "scenes"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "scenes_live"
-- type = "gauge"
-- window = "now"
select
    scope_scenes.scope_id,
    scope_scenes.period_start,
    scope_scenes.scene_id,
    max(scope_scenes.name) as name,
    min(scope_scenes.live_on) as live_on
from scope_scenes
where scope_scenes.status = 'live' and scope_scenes.last_day >= scope_scenes.live_on
group by scope_scenes.scope_id, scope_scenes.period_start, scope_scenes.scene_id
