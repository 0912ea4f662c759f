-- title_zh = "行政处罚案件"
-- title_en = "Penalty cases, one row each"
-- kind = "rollup"
-- grain = ["case_id"]
-- partition = "event_month"
-- refresh_by = { model = "case_id", events = "object_id" }
with steps as (
    select
        object_id,
        org_id,
        party_id,
        event_type,
        occurred_at,
        event_date,
        event_month,
        json_get_str(attributes, 'procedure') as procedure,
        json_get_str(attributes, 'origin') as origin,
        json_get_str(attributes, 'inspection_id') as inspection_id,
        json_get_int(attributes, 'fine_fen') as fine_fen
    from events
    where event_type like 'case.%' and object_id is not null
)

select
    object_id as case_id,
    coalesce(max(org_id) filter (where event_type = 'case.filed'), max(org_id)) as org_id,
    max(party_id) as party_id,
    max(inspection_id) as inspection_id,
    max(procedure) as procedure,
    max(origin) as origin,
    max(fine_fen) filter (where event_type = 'case.decided') as fine_fen,
    count(*) as steps,
    min(occurred_at) filter (where event_type = 'case.filed') as filed_at,
    max(occurred_at) filter (where event_type = 'case.decided') as decided_at,
    max(occurred_at) filter (where event_type = 'case.served') as served_at,
    max(occurred_at) filter (where event_type = 'case.closed') as closed_at,
    max(occurred_at) filter (where event_type = 'case.withdrawn') as withdrawn_at,
    min(event_date) filter (where event_type = 'case.filed') as filed_date,
    max(event_date) filter (where event_type = 'case.decided') as decided_date,
    max(event_date) filter (where event_type = 'case.closed') as closed_date,
    max(event_date) filter (where event_type in ('case.closed', 'case.withdrawn')) as ended_date,
    min(event_month) as event_month
from steps
group by object_id
