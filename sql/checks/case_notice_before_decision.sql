-- title_zh = "决定前已告知"
-- title_en = "The party is notified before the decision"
-- definition = "普通程序案件在作出处罚决定之前有告知记录；无告知或告知晚于决定均为违反（同日按时刻比较，决定只有日期者不计）。An ordinary case has a notice before its decision: none, or one after it, is a violation; on one day instants are compared, except where the decision has no time of day."
-- source = "《行政处罚法》第四十四条、第六十二条。行政处罚法 art. 44, 62"
-- severity = "finding"
-- remedy = "已告知而未录入的补录告知（case.notified）；确未告知的，不得作出处罚决定，应依法纠正。Add the notice if it was given; a decision without one is unlawful and has to be put right."
select
    org_id,
    case_id as object_id,
    notified_at,
    decided_at
from cases
where
    decided_date is not null
    and (procedure is distinct from 'simple')
    and (
        notified_date is null
        or notified_date > decided_date
        or (
            notified_date = decided_date
            and notified_at > decided_at
            and local_date(decided_at - interval '1 microsecond') = decided_date
        )
    )
