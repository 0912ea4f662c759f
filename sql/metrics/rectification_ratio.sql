-- title_zh = "问题整改率"
-- title_en = "Rectification ratio"
-- group = "inspection"
-- indicator = 19
-- definition = "整改期限落在期间内且已过的问题中，在期限当天或之前完成整改者所占比例，按问题数（未记问题数的检查计一个）；不含整改期限在检查一年之后的。Problems whose deadline lies in the period and has passed: those rectified on or before it. An inspection that does not say how many problems it found counts as one; deadlines more than a year after the inspection are not read."
-- source = "本系统定义。defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "rectification_ratio"
-- type = "gauge"
-- window = "28d"
with problems_due as (
    select
        inspection_id,
        org_id,
        party_id,
        finished_date,
        rectify_by,
        rectified_date,
        greatest(coalesce(problems, 1), 1) as problems
    from inspections
    where
        rectify_by >= $from
        and rectify_by < $to
        and rectify_by < $as_of
        and finished_date is not null
)

select
    scope_orgs.scope_id,
    period_days.period_start,
    problems_due.inspection_id,
    problems_due.org_id,
    problems_due.party_id,
    problems_due.finished_date,
    problems_due.rectify_by,
    problems_due.rectified_date,
    case
        when problems_due.rectified_date <= problems_due.rectify_by then problems_due.problems
        else 0
    end as numerator,
    problems_due.problems as denominator
from problems_due
inner join period_days on problems_due.rectify_by = period_days.day
inner join scope_orgs
    on
        problems_due.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
