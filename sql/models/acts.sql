-- title_zh = "其他行为"
-- title_en = "Events other than logins, inspections and cases, one row each"
-- kind = "rollup"
-- grain = ["event_date", "event_id"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
select
    event_id,
    event_type,
    occurred_at,
    event_date,
    org_id,
    officer_ids,
    object_id,
    party_id,
    item_code,
    attributes,
    event_month
from events
where
    split_part(event_type, '.', 1) not in (
        'officer', 'patrol', 'inspection', 'credential', 'code', 'case'
    )
