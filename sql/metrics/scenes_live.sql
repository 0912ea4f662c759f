-- title_zh = "已上线监管一件事场景数"
-- title_en = "Live scenes"
-- group = "reform"
-- indicator = 56
-- definition = "期末已上线的“监管一件事”场景数；谋划、揭榜中的不计。仅全区。Scenes of 监管一件事 that are live at the end of the period, without those planned or selected. Whole district only."
-- source = "渝府办发〔2023〕74号 (city: 30 by the end of 2025, 50 by 2027); counting rule defined here"
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
with asked as (
    select distinct
        scope_id,
        period_start,
        last_day
    from scope_ends
    where scope_id = 'district'
)

select
    asked.scope_id,
    asked.period_start,
    scenes.scene_id,
    scenes.name,
    scenes.live_on
from asked
inner join scenes on asked.last_day >= scenes.live_on
where scenes.status = 'live'
