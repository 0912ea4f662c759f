-- title_zh = "检查与巡查"
-- title_en = "Inspections and patrols, one row each"
-- kind = "rollup"
-- grain = ["inspection_id"]
-- partition = "event_month"
-- refresh_by = { model = "inspection_id", events = "object_id", since = "first_month", before = "event_type in ('credential.shown', 'code.scanned')" }
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
        event_type in ('inspection.finished', 'patrol.recorded') as is_finish,
        json_texts(
            attributes, 'kind', 'result', 'party_kind', 'plan_id', 'task_id', 'joint_task_id', 'trigger',
            'double_random', 'ordered_from_above', 'problems', 'rectify_by', 'av_required', 'av_seconds'
        ) as told
    from events
    where
        event_type in (
            'inspection.started', 'inspection.finished', 'inspection.rectified', 'inspection.published',
            'patrol.recorded', 'credential.shown', 'code.scanned'
        )
        and object_id is not null
)

select
    object_id as inspection_id,
    coalesce(
        max(org_id) filter (where is_finish),
        max(org_id) filter (where event_type = 'inspection.started'),
        max(org_id)
    ) as org_id,
    max(party_id) as party_id,
    max(told['party_kind']) as party_kind,
    max(item_code) as item_code,
    max(told['plan_id']) as plan_id,
    max(told['task_id']) as task_id,
    max(told['joint_task_id']) as joint_task_id,
    case
        when bool_or(event_type = 'patrol.recorded') then 'patrol'
        else max(told['kind'])
    end as kind,
    max(told['trigger']) as trigger,
    max(told['result']) as result,
    max(channel) filter (where is_finish) as channel,
    max(channel) filter (where event_type = 'inspection.started') as start_channel,
    max(try_cast(told['problems'] as bigint)) as problems,
    coalesce(bool_or(told['double_random'] = 'true'), false) as is_double_random,
    coalesce(bool_or(told['ordered_from_above'] = 'true'), false) as is_ordered_from_above,
    coalesce(bool_or(told['av_required'] = 'true'), false) as av_required,
    max(try_cast(told['av_seconds'] as bigint)) as av_seconds,
    set_of(officer_nos) filter (
        where event_type in ('inspection.started', 'inspection.finished', 'patrol.recorded')
    ) as officers,
    min(occurred_at) filter (where event_type = 'inspection.started') as started_at,
    max(occurred_at) filter (where is_finish) as finished_at,
    min(occurred_at) filter (where event_type = 'credential.shown') as credential_shown_at,
    min(occurred_at) filter (where event_type = 'code.scanned') as code_scanned_at,
    min(event_date) filter (where event_type = 'inspection.started') as started_date,
    max(event_date) filter (where is_finish) as finished_date,
    max(try_cast(told['rectify_by'] as date)) as rectify_by,
    max(event_date) filter (where event_type = 'inspection.rectified') as rectified_date,
    min(event_date) filter (where event_type = 'inspection.published') as published_date,
    min(event_month) as first_month,
    coalesce(max(event_month) filter (where is_finish), max(event_month)) as event_month
from steps
group by object_id
-- A credential that was shown without a check on record is no check.
having bool_or(event_type like 'inspection.%' or event_type = 'patrol.recorded')
