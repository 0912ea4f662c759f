-- title_zh = "各级范围的监管一件事场景"
-- title_en = "Scenes of 监管一件事 as registered now, of the whole tree and of each district of several, for each period"
-- kind = "view"
-- grain = ["scope_id", "period_start", "scene_id", "district_id"]
-- # The whole tree has every scene; a district of several those of its own and those that are for all.
select
    scope_levels.scope_id,
    periods.period_start,
    periods.period_end - 1 as last_day,
    scenes.*
from scope_levels
cross join periods
cross join scenes
where scope_levels.is_whole or scenes.district_id is null
union all
select
    scope_ends.scope_id,
    scope_ends.period_start,
    scope_ends.last_day,
    scenes.*
from scope_ends
inner join scope_levels on scope_ends.scope_id = scope_levels.scope_id
inner join scenes on scope_ends.org_id = scenes.district_id
where not scope_levels.is_whole
