-- title_zh = "投诉举报"
-- title_en = "Complaints, one row each"
-- kind = "derived"
-- grain = ["complaint_id"]
with steps as (
    select
        object_id,
        org_id,
        event_type,
        event_date,
        json_texts(attributes, 'category', 'due_on', 'outcome') as told
    from acts
    where event_type like 'complaint.%' and object_id is not null
)

select
    object_id as complaint_id,
    coalesce(max(org_id) filter (where event_type = 'complaint.received'), max(org_id)) as org_id,
    max(told['category']) as category,
    min(event_date) filter (where event_type = 'complaint.received') as received_date,
    max(try_cast(told['due_on'] as date)) as due_on,
    max(event_date) filter (where event_type = 'complaint.closed') as closed_date,
    max(told['outcome']) filter (where event_type = 'complaint.closed') as outcome
from steps
group by object_id
