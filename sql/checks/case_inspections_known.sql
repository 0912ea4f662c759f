-- title_zh = "案件引用的检查存在"
-- title_en = "Inspections that cases name are known"
-- definition = "案件填写的检查行为编号能在检查与巡查中找到；未填写者不在此列。The inspection that a case names stands among the inspections and patrols; a case that names none is not meant."
-- source = "本系统依据国家“互联网+监管”处罚行为（检查行为编号）定义。defined here, on 国家“互联网+监管”处罚行为 field 检查行为编号"
-- severity = "finding"
-- remedy = "单位补报该检查，或以更高 revision 更正案件中的检查编号。The unit sends the inspection, or corrects its id in the case with a higher revision."
select
    cases.org_id,
    cases.case_id as object_id,
    cases.inspection_id,
    cases.filed_date
from cases
left anti join inspections on cases.inspection_id = inspections.inspection_id
where cases.inspection_id is not null
