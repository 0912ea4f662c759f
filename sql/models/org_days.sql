-- title_zh = "单位日事件量"
-- title_en = "Events per local day, unit and event type"
-- kind = "rollup"
-- grain = ["event_date", "org_id", "event_type"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
select
    event_date,
    org_id,
    event_type,
    count(*) as events,
    max(occurred_at) as last_occurred_at,
    event_month
from events
group by event_month, event_date, org_id, event_type
