-- title_zh = "执法人员日活跃集合"
-- title_en = "Officers active per local day, unit and level, as exact sets"
-- kind = "rollup"
-- grain = ["event_date", "org_id", "level"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
with levels as (
    select
        event_type,
        case activity_level when 1 then 'L1' else 'L2' end as level
    from event_types
    where activity_level > 0
)

select
    events.event_date,
    events.org_id,
    levels.level,
    set_of(officer_nos(events.officer_ids)) as officers,
    events.event_month
from events
inner join levels on events.event_type = levels.event_type
where cardinality(events.officer_ids) > 0
group by
    events.event_month,
    events.event_date,
    events.org_id,
    levels.level
