-- title_zh = "入户检查（户次）"
-- title_en = "Inspection visits of each scope and period: a joint visit is one row"
-- kind = "view"
-- grain = ["scope_id", "period_start", "inspection_id"]
-- # `orgs` counts every unit of a joint visit, in the scope or not; the other columns are about the
-- # part that the scope had in it. Patrols are no visits.
select
    scope_id,
    period_start,
    inspection_id,
    joint_task_id,
    org_id,
    party_id,
    party_kind,
    finished_date,
    result is distinct from 'no_entry' as is_entered,
    1 as orgs
from finished_inspections
where joint_task_id is null and (kind is distinct from 'patrol')
union all
select
    finished_inspections.scope_id,
    finished_inspections.period_start,
    min(finished_inspections.inspection_id) as inspection_id,
    finished_inspections.joint_task_id,
    min(finished_inspections.org_id) as org_id,
    finished_inspections.party_id,
    max(finished_inspections.party_kind) as party_kind,
    max(finished_inspections.finished_date) as finished_date,
    bool_or(finished_inspections.result is distinct from 'no_entry') as is_entered,
    max(joint_visits.orgs) as orgs
from finished_inspections
inner join joint_visits
    on
        finished_inspections.joint_task_id = joint_visits.joint_task_id
        and coalesce(finished_inspections.party_id, '') = joint_visits.visited_party
        and finished_inspections.finished_date = joint_visits.finished_date
where
    finished_inspections.joint_task_id is not null
    and (finished_inspections.kind is distinct from 'patrol')
group by
    finished_inspections.scope_id,
    finished_inspections.period_start,
    finished_inspections.joint_task_id,
    finished_inspections.party_id
