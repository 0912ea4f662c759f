-- title_zh = "所引用的案件存在"
-- title_en = "Cases that other acts name are known"
-- definition = "强制措施、复议诉讼、社会评议、案卷评查所引用的案件均存在。The case that a compulsory measure, a reconsideration or lawsuit, a social review or a dossier review names is one of the log."
-- source = "本系统定义。defined here"
-- severity = "finding"
-- remedy = "单位补报该案件，或以更高 revision 更正其中的案件编号。The unit sends the case, or corrects its id with a higher revision."
with named as (
    select
        org_id,
        object_id,
        event_type,
        event_date,
        json_get_str(attributes, 'case_id') as case_id
    from acts
    where
        event_type in (
            'measure.imposed', 'remedy.filed', 'remedy.decided', 'social_review.held', 'dossier.reviewed'
        )
)

select
    named.org_id,
    named.object_id,
    named.event_type,
    named.case_id,
    named.event_date
from named
left anti join cases on named.case_id = cases.case_id
where named.case_id is not null
