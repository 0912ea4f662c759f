-- title_zh = "执法人员日活跃集合"
-- title_en = "Officers active per local day, unit and level, as exact sets"
-- kind = "rollup"
-- grain = ["event_date", "org_id", "level"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
-- # L1: logged in. L2: did substantive work. FW: took part in a check or a case, which is part of L2.
with levels as (
    select
        event_type,
        case activity_level when 1 then 'L1' else 'L2' end as level
    from event_types
    where activity_level > 0
    union all
    select
        event_type,
        'FW' as level
    from event_types
    where activity_level = 2 and is_field_work
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
