-- title_zh = "日字段填报量"
-- title_en = "Filled fields per local day, source and event type"
-- kind = "rollup"
-- grain = ["event_date", "source", "event_type", "field", "kind"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
-- # How many events have something in a field, by what it looks like: number, date, text, boolean, list or object. Every event
-- # has an event_id, so that its row is the number of events. The events are counted by shape first: there are few shapes.
with shapes as (
    select
        event_month,
        event_date,
        source,
        event_type,
        concat_ws(
            ',',
            'event_id:text',
            case when cardinality(officer_ids) > 0 then 'officer_ids:list' end,
            case when object_id is not null then 'object_id:text' end,
            case when party_id is not null then 'party_id:text' end,
            case when item_code is not null then 'item_code:text' end,
            case when channel is not null then 'channel:text' end,
            json_shape(attributes)
        ) as shape,
        count(*) as events
    from events
    group by 1, 2, 3, 4, 5
),

fields as (
    select
        event_month,
        event_date,
        source,
        event_type,
        events,
        unnest(string_to_array(shape, ',')) as field
    from shapes
)

select
    event_date,
    source,
    event_type,
    split_part(field, ':', 1) as field,
    split_part(field, ':', 2) as kind,
    sum(events) as events,
    event_month
from fields
group by event_month, event_date, source, event_type, split_part(field, ':', 1), split_part(field, ':', 2)
