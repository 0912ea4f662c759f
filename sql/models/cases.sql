-- title_zh = "行政处罚案件"
-- title_en = "Penalty cases, one row each"
-- kind = "rollup"
-- grain = ["case_id"]
-- partition = "event_month"
-- refresh_by = { model = "case_id", events = "object_id", since = "event_month" }
-- # recorded_stages: how many of 启动, 取证, 审核, 决定, 送达, 执行 (行政处罚法 art. 47) have documents on file.
with steps as (
    select
        object_id,
        org_id,
        party_id,
        item_code,
        channel,
        event_type,
        occurred_at,
        event_date,
        event_month,
        officer_nos(officer_ids) as officer_nos,
        json_texts(
            attributes, 'procedure', 'origin', 'inspection_id', 'party_kind', 'fine_fen', 'confiscated_fen',
            'penalty_types', 'is_major', 'is_publishable', 'opinion', 'method', 'consent', 'paid_fen', 'days',
            'documents'
        ) as told
    from events
    where event_type like 'case.%' and object_id is not null
),

stages as (
    select
        *,
        case
            when coalesce(try_cast(told['documents'] as bigint), 0) < 1 then null
            when event_type = 'case.filed' then 1
            when event_type in ('case.investigated', 'case.evidence_registered', 'case.evidence_decided') then 2
            when event_type in ('case.reviewed', 'case.discussed', 'case.notified') then 3
            when event_type = 'case.decided' then 4
            when event_type = 'case.served' then 5
            when event_type in ('case.closed', 'case.enforcement_applied', 'case.paid') then 6
        end as recorded_stage
    from steps
)

select
    object_id as case_id,
    coalesce(
        max(org_id) filter (where event_type = 'case.filed'),
        max(org_id) filter (where event_type = 'case.decided'),
        max(org_id)
    ) as org_id,
    max(party_id) as party_id,
    max(told['party_kind']) as party_kind,
    max(item_code) as item_code,
    max(told['inspection_id']) as inspection_id,
    max(told['procedure']) as procedure,
    max(told['origin']) as origin,
    max(channel) filter (where event_type = 'case.filed') as channel,
    max(try_cast(told['fine_fen'] as bigint)) filter (where event_type = 'case.decided') as fine_fen,
    max(try_cast(told['confiscated_fen'] as bigint)) filter (
        where event_type = 'case.decided'
    ) as confiscated_fen,
    max(told['penalty_types']) filter (where event_type = 'case.decided') as penalty_types,
    coalesce(bool_or(told['is_major'] = 'true'), false) as is_major,
    coalesce(bool_and(told['is_publishable'] = 'true'), true) as is_publishable,
    last_value(told['opinion'] order by occurred_at, told['opinion']) filter (
        where event_type = 'case.reviewed'
    ) as review_opinion,
    max(told['method']) filter (where event_type = 'case.served') as served_method,
    coalesce(
        bool_or(told['consent'] = 'true') filter (where event_type = 'case.served'), false
    ) as has_consent,
    count(*) as steps,
    count(distinct recorded_stage) as recorded_stages,
    coalesce(
        sum(try_cast(told['days'] as bigint)) filter (where event_type = 'case.extended'), 0
    ) as extended_days,
    set_of(officer_nos) as officers,
    min(occurred_at) filter (where event_type = 'case.filed') as filed_at,
    min(occurred_at) filter (where event_type = 'case.notified') as notified_at,
    max(occurred_at) filter (where event_type = 'case.reviewed') as reviewed_at,
    max(occurred_at) filter (where event_type = 'case.decided') as decided_at,
    max(occurred_at) filter (where event_type = 'case.served') as served_at,
    max(occurred_at) filter (where event_type = 'case.closed') as closed_at,
    max(occurred_at) filter (where event_type = 'case.withdrawn') as withdrawn_at,
    min(event_date) filter (where event_type = 'case.filed') as filed_date,
    min(event_date) filter (where event_type = 'case.evidence_registered') as evidence_registered_date,
    max(event_date) filter (where event_type = 'case.evidence_decided') as evidence_decided_date,
    min(event_date) filter (where event_type = 'case.notified') as notified_date,
    min(event_date) filter (where event_type = 'case.hearing_requested') as hearing_requested_date,
    min(event_date) filter (where event_type = 'case.hearing_notified') as hearing_notified_date,
    max(event_date) filter (where event_type = 'case.hearing_held') as hearing_held_date,
    min(event_date) filter (where event_type = 'case.appraisal_started') as appraisal_started_date,
    max(event_date) filter (where event_type = 'case.appraisal_ended') as appraisal_ended_date,
    max(event_date) filter (where event_type = 'case.discussed') as discussed_date,
    max(event_date) filter (where event_type = 'case.reviewed') as reviewed_date,
    max(event_date) filter (where event_type = 'case.decided') as decided_date,
    max(event_date) filter (where event_type = 'case.served') as served_date,
    min(event_date) filter (where event_type = 'case.published') as published_date,
    min(event_date) filter (where event_type = 'case.uploaded') as uploaded_date,
    min(event_date) filter (where event_type = 'case.changed') as changed_date,
    max(event_date) filter (where event_type = 'case.retracted') as retracted_date,
    min(event_date) filter (where event_type = 'case.paid') as paid_date,
    case
        when
            sum(try_cast(told['paid_fen'] as bigint)) filter (where event_type = 'case.paid')
            >= max(try_cast(told['fine_fen'] as bigint)) filter (where event_type = 'case.decided')
            then max(event_date) filter (where event_type = 'case.paid')
    end as paid_in_full_date,
    sum(try_cast(told['paid_fen'] as bigint)) filter (where event_type = 'case.paid') as paid_fen,
    min(event_date) filter (
        where event_type = 'case.paid' and told['method'] = 'cash'
    ) as cash_received_date,
    max(event_date) filter (where event_type = 'case.cash_handed_in') as cash_handed_in_date,
    min(event_date) filter (
        where event_type = 'case.enforcement_applied'
    ) as enforcement_applied_date,
    max(event_date) filter (where event_type = 'case.closed') as closed_date,
    max(event_date) filter (where event_type = 'case.withdrawn') as withdrawn_date,
    max(event_date) filter (where event_type in ('case.closed', 'case.withdrawn')) as ended_date,
    min(event_month) as event_month
from stages
group by object_id
