-- title_zh = "案件有立案时间"
-- title_en = "Cases have a filing date"
-- definition = "每件案件有立案记录；缺少立案时间的案件无法计算九十日办案期限，视为数据质量问题，不视为合规。Every case has been filed on a day: without it the 90 days of art. 60 cannot be counted, which is a failure of quality and never compliance."
-- source = "《行政处罚法》第五十四条、第六十条。行政处罚法 art. 54, 60"
-- severity = "finding"
-- remedy = "办案单位补录立案（case.filed）时间。The unit adds the filing of the case."
select
    org_id,
    case_id as object_id,
    steps,
    decided_date,
    closed_date,
    event_month as first_month
from cases
where filed_date is null
