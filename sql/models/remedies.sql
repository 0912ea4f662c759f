-- title_zh = "行政复议与诉讼"
-- title_en = "Reconsiderations and lawsuits over decisions, one row each"
-- kind = "derived"
-- grain = ["remedy_id"]
-- # A remedy belongs to the unit whose decision is challenged; without a known case to the unit that entered it.
with steps as (
    select
        object_id,
        org_id,
        event_type,
        occurred_at,
        event_date,
        json_texts(attributes, 'case_id', 'kind', 'outcome') as told
    from acts
    where event_type like 'remedy.%' and object_id is not null
),

grouped as (
    select
        object_id as remedy_id,
        coalesce(max(org_id) filter (where event_type = 'remedy.filed'), max(org_id)) as org_id,
        max(told['case_id']) as case_id,
        max(told['kind']) as kind,
        min(event_date) filter (where event_type = 'remedy.filed') as filed_date,
        max(event_date) filter (where event_type = 'remedy.decided') as decided_date,
        -- A second instance may decide again: the last decision stands.
        last_value(told['outcome'] order by occurred_at) filter (
            where event_type = 'remedy.decided'
        ) as outcome
    from steps
    group by object_id
)

select
    grouped.remedy_id,
    coalesce(cases.org_id, grouped.org_id) as org_id,
    grouped.case_id,
    grouped.kind,
    grouped.filed_date,
    grouped.decided_date,
    grouped.outcome
from grouped
left join cases on grouped.case_id = cases.case_id
