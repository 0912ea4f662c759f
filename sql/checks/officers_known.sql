-- title_zh = "执法人员已登记"
-- title_en = "Officers are known"
-- definition = "事件与请假记录中的每名执法人员均在人员表中；未登记者计入活跃人数而不在名册中。Every officer whom an event or a leave names stands in the register; others count as active without being on any roster."
-- source = "本系统定义。defined here"
-- severity = "error"
-- org = "the unit of the officer's first event, by id"
-- remedy = "在 officers.csv 中补充该人员的任职与证件，或更正人员编号。Add the officer's posting and certificate to officers.csv, or correct the id."
with named as (
    select home_org_id as org_id, officer_id, 'events' as named_by from officer_numbers
    union all
    select null as org_id, officer_id, 'leaves' as named_by from leaves
)

select distinct
    named.org_id,
    cast(null as varchar) as object_id,
    named.officer_id,
    named.named_by
from named
left anti join officers on named.officer_id = officers.officer_id
