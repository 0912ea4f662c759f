-- title_zh = "听证前已通知"
-- title_en = "The party is notified of a hearing before it is held"
-- definition = "举行听证的案件，听证通知早于听证之日；七个工作日的期限由指标计算。A hearing that was held has a notice on an earlier day; whether that was seven working days before is a metric."
-- source = "《行政处罚法》第六十四条第二项。行政处罚法 art. 64(2)"
-- severity = "finding"
-- remedy = "已通知而未录入的补录听证通知（case.hearing_notified）；确未通知的，应重新组织听证。Add the notice of the hearing if it was given; without one the hearing has to be held again."
select
    org_id,
    case_id as object_id,
    hearing_notified_date,
    hearing_held_date
from cases
where
    hearing_held_date is not null
    and (hearing_notified_date is null or hearing_notified_date >= hearing_held_date)
