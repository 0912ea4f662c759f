-- title_zh = "监督意见按期回复率"
-- title_en = "Opinions replied to in time"
-- group = "supervision"
-- indicator = 47
-- definition = "回复期限落在期间内（且已届满）的监督意见书中，被监督单位按期回复者所占比例；未载明期限的以发出日计入分母，不计入分子。Of the supervision opinions whose due date lies in the period and has passed, those that the unit replied to by that date; one without a due date counts in the denominator on the day of issue and never in the numerator."
-- source = "本系统定义；监督闭环见2024年工作报告。defined here; closed-loop supervision: 2024 report"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "opinion_reply_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_orgs.scope_id,
    period_days.period_start,
    opinions.opinion_id,
    opinions.org_id,
    opinions.issued_date,
    opinions.due_on,
    opinions.replied_date,
    coalesce(opinions.replied_date <= opinions.due_on, false) as numerator
from opinions
inner join period_days on coalesce(opinions.due_on, opinions.issued_date) = period_days.day
inner join scope_orgs
    on
        opinions.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where coalesce(opinions.due_on, opinions.issued_date) < $as_of
