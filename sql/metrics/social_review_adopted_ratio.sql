-- title_zh = "社会评议意见采纳率"
-- title_en = "Opinions of social reviews adopted"
-- group = "supervision"
-- indicator = 48
-- definition = "期间内社会评议提出的意见中，被采纳者所占比例；没有提出意见的评议不计。Of the opinions that social reviews of the period gave, those adopted; a review that gave none is in neither part."
-- source = "本系统定义；做法参照合肥案件公议（5至9人）。defined here; practice: Hefei 公议 (panels of 5 to 9)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "social_review_adopted_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_orgs.scope_id,
    period_days.period_start,
    reviews.review_id,
    reviews.org_id,
    reviews.case_id,
    reviews.held_date,
    reviews.panel_size,
    reviews.opinion,
    reviews.opinions_adopted as numerator,
    reviews.opinions_given as denominator
from reviews
inner join period_days on reviews.held_date = period_days.day
inner join scope_orgs
    on
        reviews.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
