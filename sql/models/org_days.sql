-- title_zh = "单位日事件量"
-- title_en = "Events per local day, unit and event type"
-- kind = "rollup"
-- grain = ["event_date", "org_id", "event_type"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
-- # Late: received after the next working day. Incomplete: without the officers, the party or the item
-- # that an act of its type has (the required fields of 互联网+监管 检查行为 and 处罚行为).
select
    event_date,
    org_id,
    event_type,
    count(*) as events,
    count(*) filter (
        where local_date(received_at) > due_working_days(event_date, 1)
    ) as late_events,
    count(*) filter (
        where
            (
                (event_type like 'inspection.%' or event_type like 'case.%' or event_type like 'patrol.%')
                and object_id is null
            )
            or (
                event_type in ('patrol.recorded', 'inspection.started', 'inspection.finished', 'case.filed', 'case.decided')
                and cardinality(officer_ids) = 0
            )
            or (
                event_type in ('inspection.finished', 'case.filed', 'case.decided')
                and (party_id is null or item_code is null)
            )
    ) as incomplete_events,
    max(occurred_at) as last_occurred_at,
    event_month
from events
group by event_month, event_date, org_id, event_type
