-- title_zh = "先决定后公示"
-- title_en = "A decision is published after it is made"
-- definition = "公示或上报信用信息的案件已有处罚决定，且公示、上报不早于决定之日。A case that was published or uploaded to the credit platform has a decision, and neither happened before its day."
-- source = "《行政处罚法》第四十八条。行政处罚法 art. 48"
-- severity = "finding"
-- remedy = "撤回没有决定的公示；日期录入有误的以更高 revision 更正。Retract what has no decision; correct a wrong date with a higher revision."
select
    org_id,
    case_id as object_id,
    decided_date,
    published_date,
    uploaded_date
from cases
where
    (published_date is not null and (decided_date is null or published_date < decided_date))
    or (uploaded_date is not null and (decided_date is null or uploaded_date < decided_date))
