-- title_zh = "社会评议案件数"
-- title_en = "Cases reviewed by the public"
-- group = "supervision"
-- indicator = 48
-- definition = "期间内经社会评议的案件数，按办案单位归集；同一案件在期间内多次评议计一次。Cases on which a social review was held in the period, by the unit of the case; a case reviewed more than once in the period counts once."
-- source = "2024年工作报告（1件，称其薄弱）。2024 report (1 case, called weak)"
-- unit = "cases"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "social_reviews_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    coalesce(reviews.case_id, reviews.review_id) as case_id,
    min(reviews.org_id) as org_id,
    max(reviews.held_date) as held_date
from reviews
inner join period_days on reviews.held_date = period_days.day
inner join scope_orgs
    on
        reviews.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
group by
    scope_orgs.scope_id,
    period_days.period_start,
    coalesce(reviews.case_id, reviews.review_id)
