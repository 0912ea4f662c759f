-- title_zh = "行政执法监督意见书"
-- title_en = "Supervision opinions, one row each"
-- kind = "derived"
-- grain = ["opinion_id"]
-- # An opinion belongs to the unit that it was addressed to: the target of the issued opinion, or else the
-- # unit that replied.
with steps as (
    select
        object_id,
        org_id,
        event_type,
        event_date,
        json_texts(attributes, 'target_org_id', 'domain', 'due_on', 'accepted') as told
    from acts
    where event_type like 'opinion.%' and object_id is not null
)

select
    object_id as opinion_id,
    coalesce(
        max(told['target_org_id']) filter (where event_type = 'opinion.issued'),
        max(org_id) filter (where event_type = 'opinion.replied'),
        max(org_id)
    ) as org_id,
    max(org_id) filter (where event_type = 'opinion.issued') as issuer_id,
    max(told['domain']) as domain,
    min(event_date) filter (where event_type = 'opinion.issued') as issued_date,
    max(try_cast(told['due_on'] as date)) as due_on,
    min(event_date) filter (where event_type = 'opinion.replied') as replied_date,
    max(event_date) filter (where event_type = 'opinion.closed') as closed_date,
    coalesce(
        bool_or(told['accepted'] = 'true') filter (where event_type = 'opinion.closed'), false
    ) as is_accepted
from steps
group by object_id
