-- title_zh = "检查步骤顺序合理"
-- title_en = "Steps of an inspection come in their order"
-- definition = "检查开始不晚于结束，整改与结果公示不早于检查结束之日。An inspection starts before it is finished, and is neither rectified nor published before the day on which it was finished."
-- source = "本系统依据国办发〔2024〕54号定义。defined here, on 国办发〔2024〕54号"
-- severity = "finding"
-- remedy = "核对时间，录入有误的以更高 revision 更正。Compare the times and correct a wrong entry with a higher revision."
select
    org_id,
    inspection_id as object_id,
    started_at,
    finished_at,
    finished_date,
    rectified_date,
    published_date
from inspections
where
    (
        started_at > finished_at
        -- A finish without a time of day is on midnight.
        and (
            started_date > finished_date
            or local_date(finished_at - interval '1 microsecond') = finished_date
        )
    )
    or rectified_date < finished_date
    or published_date < finished_date
