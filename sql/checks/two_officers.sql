-- title_zh = "执法人员不少于两人"
-- title_en = "Two officers take part"
-- definition = "每次已完成的检查和每件已作出决定的案件，参与的执法人员不少于两人；巡查不在此列。At least two officers have taken part in every finished inspection and in every case with a decision; patrols are not meant."
-- source = "《行政处罚法》第四十二条。行政处罚法 art. 42"
-- severity = "finding"
-- remedy = "第二名执法人员参与而未录入的，以更高 revision 补录；确由一人执法的，所取证据与决定应由法制机构审查。Add the second officer with a higher revision if there was one; evidence and decisions of a single officer are a matter for legal review."
with acts_of_two as (
    select
        org_id,
        inspection_id as object_id,
        'inspection' as object_kind,
        finished_date as act_date,
        set_count(officers) as officers
    from inspections
    where finished_date is not null and (kind is distinct from 'patrol')
    union all
    select
        org_id,
        case_id as object_id,
        'case' as object_kind,
        decided_date as act_date,
        set_count(officers) as officers
    from cases
    where decided_date is not null
)

select
    org_id,
    object_id,
    object_kind,
    officers,
    act_date
from acts_of_two
where coalesce(officers, 0) < 2
