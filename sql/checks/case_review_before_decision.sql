-- title_zh = "重大案件决定前经法制审核"
-- title_en = "Art. 58 cases pass legal review before the decision"
-- definition = "属于第五十八条情形的案件，在决定之前有法制审核且意见为同意或修改后同意；未审核、审核晚于决定、未通过或没有意见而决定均为违反（同日按时刻比较，决定只有日期者不计）。A case of art. 58 has a legal review before its decision that says agree or amend: none, a later one, a rejection or one without an opinion is a violation; on one day instants are compared, except where the decision has no time of day."
-- source = "《行政处罚法》第五十八条。行政处罚法 art. 58"
-- severity = "finding"
-- remedy = "已审核而未录入的补录（case.reviewed）；确未经审核或审核未通过的，不得作出决定，应依法纠正。Add the review if it was made; a decision without one that passed is unlawful and has to be put right."
select
    org_id,
    case_id as object_id,
    review_opinion,
    reviewed_at,
    decided_at
from cases
where
    decided_date is not null
    and is_major
    and (
        reviewed_date is null
        or coalesce(review_opinion not in ('agree', 'amend'), true)
        or reviewed_date > decided_date
        or (
            reviewed_date = decided_date
            and reviewed_at > decided_at
            and local_date(decided_at - interval '1 microsecond') = decided_date
        )
    )
