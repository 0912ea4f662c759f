-- title_zh = "监管一件事办件量"
-- title_en = "Incidents handled in scenes"
-- group = "reform"
-- indicator = 56
-- definition = "期间内在“监管一件事”场景中办理的事件数，可按场景；同一事件由几个单位办理计一次。Incidents handled in the scenes of 监管一件事 in the period, by scene; one that several units handled counts once in a scope."
-- source = "本系统定义；场景见2024年工作报告（停车、夜市、道路占用挖掘）。defined here; scenes: 2024 report (停车, 夜市, 道路占用挖掘)"
-- unit = "incidents"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [parameters.scene]
-- values = ["all", "night-market", "parking", "road-excavation", "fumes", "spoil-transport", "campus-surroundings"]
-- default = "all"
-- [prometheus]
-- name = "scene_events_total"
-- type = "counter"
-- window = "all"
select
    choices.choice,
    scope_orgs.scope_id,
    period_days.period_start,
    coalesce(acts.object_id, acts.event_id) as incident_id,
    json_get_str(acts.attributes, 'scene_id') as scene_id,
    min(acts.event_date) as handled_date,
    count(distinct acts.org_id) as units
from choices
cross join acts
inner join period_days
    on
        acts.event_date = period_days.day
        and acts.event_date >= $from
        and acts.event_date < $to
inner join scope_orgs
    on
        acts.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where
    acts.event_type = 'scene.handled'
    and ($scene = 'all' or json_get_str(acts.attributes, 'scene_id') = $scene)
group by
    choices.choice,
    scope_orgs.scope_id,
    period_days.period_start,
    coalesce(acts.object_id, acts.event_id),
    json_get_str(acts.attributes, 'scene_id')
