-- title_zh = "案卷评查"
-- title_en = "Dossiers as last reviewed, one row each"
-- kind = "derived"
-- grain = ["dossier_id"]
-- # A dossier belongs to the unit of the case; without a known case to the unit that reviewed it.
with scored as (
    select
        object_id,
        org_id,
        event_date,
        json_texts(attributes, 'case_id', 'score', 'grade', 'has_veto', 'standard') as told,
        row_number() over (partition by object_id order by occurred_at desc, event_id) as place
    from acts
    where event_type = 'dossier.reviewed' and object_id is not null
)

select
    scored.object_id as dossier_id,
    coalesce(cases.org_id, scored.org_id) as org_id,
    scored.told['case_id'] as case_id,
    scored.event_date as reviewed_date,
    try_cast(scored.told['score'] as double) as score,
    scored.told['grade'] as grade,
    coalesce(scored.told['has_veto'] = 'true', false) as has_veto,
    scored.told['standard'] as standard
from scored
left join cases on scored.told['case_id'] = cases.case_id
where scored.place = 1
