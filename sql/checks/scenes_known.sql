-- title_zh = "“一件事”场景存在"
-- title_en = "Scenes are known"
-- definition = "按“监管一件事”办理的事件所引用的场景均在场景表中。The scene that a handled incident names stands in the register of scenes."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "在 scenes.csv 中补充该场景，或更正场景编号。Add the scene to scenes.csv, or correct its id."
with named as (
    select
        org_id,
        object_id,
        event_date,
        json_get_str(attributes, 'scene_id') as scene_id
    from acts
    where event_type = 'scene.handled'
)

select
    named.org_id,
    named.object_id,
    named.scene_id,
    named.event_date
from named
left anti join scenes on named.scene_id = scenes.scene_id
