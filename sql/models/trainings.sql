-- title_zh = "培训学时"
-- title_en = "Courses completed, one row for each officer of an event"
-- kind = "derived"
-- grain = ["event_id", "officer_id"]
with completed as (
    select
        event_id,
        org_id,
        event_date,
        unnest(officer_ids) as officer_id,
        json_texts(attributes, 'hours', 'mode', 'course') as told
    from acts
    where event_type = 'training.completed'
)

select
    event_id,
    officer_id,
    org_id,
    event_date,
    try_cast(told['hours'] as double) as hours,
    told['mode'] as mode,
    told['course'] as course
from completed
where officer_id is not null
