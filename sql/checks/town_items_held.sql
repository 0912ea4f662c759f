-- title_zh = "镇街案件事项在赋权清单内"
-- title_en = "Town cases use items of the town's list"
-- definition = "镇街立案的案件，其事项在立案当日属于该镇（街道）清单；立案后清单调整的，仍由原镇街办理。登记簿未注明者与未登记事项不判断。A case that a town (镇) or subdistrict (街道) filed is about an item that its list held on the day of filing; a later change of the list leaves the case where it is. Items of which the register does not say so, and unknown ones, are not judged."
-- source = "《行政处罚法》第二十四条；渝府办发〔2025〕28号。行政处罚法 art. 24; 渝府办发〔2025〕28号"
-- severity = "finding"
-- remedy = "移送有管辖权的部门；清单登记有误的更正 items.csv。Transfer the case to the department that holds the item; correct items.csv if the list is wrong there."
with town_cases as (
    select
        cases.case_id,
        cases.org_id,
        cases.item_code,
        cases.filed_date,
        orgs.town_type,
        org_districts.district_id
    from cases
    inner join orgs
        on
            cases.org_id = orgs.org_id
            and orgs.kind = 'town'
            and cases.filed_date >= coalesce(orgs.valid_from, date '1900-01-01')
            and cases.filed_date < coalesce(orgs.valid_to, date '9999-12-31')
    left join org_districts
        on
            cases.org_id = org_districts.org_id
            and cases.filed_date >= org_districts.valid_from
            and cases.filed_date < org_districts.valid_to
),

known as (
    select town_cases.*
    from town_cases
    left semi join items
        on
            town_cases.item_code = items.item_code
            and (items.district_id is null or items.district_id = town_cases.district_id)
),

holding as (
    select known.case_id
    from known
    inner join items
        on
            known.item_code = items.item_code
            and (items.district_id is null or items.district_id = known.district_id)
            and known.filed_date >= coalesce(items.valid_from, date '1900-01-01')
            and known.filed_date < coalesce(items.valid_to, date '9999-12-31')
    where
        (known.town_type = '镇' and coalesce(items.for_zhen, true))
        or (known.town_type = '街道' and coalesce(items.for_jiedao, true))
)

select
    known.org_id,
    known.case_id as object_id,
    known.item_code,
    known.town_type,
    known.filed_date
from known
left anti join holding on known.case_id = holding.case_id
where known.town_type in ('镇', '街道')
