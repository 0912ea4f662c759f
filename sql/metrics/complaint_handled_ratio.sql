-- title_zh = "投诉举报按期办结率"
-- title_en = "Complaints closed in time"
-- group = "supervision"
-- indicator = 52
-- definition = "办理期限落在期间内（且已届满）的投诉举报中，按期办结者所占比例；未载明期限的以收到日计入分母，不计入分子。Of the complaints whose due date lies in the period and has passed, those closed by that date; one without a due date counts in the denominator on the day of receipt and never in the numerator."
-- source = "本系统定义；首接负责依据《重庆市大综合一体化行政执法条例》。defined here; first-contact responsibility: 重庆市大综合一体化行政执法条例"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "complaint_handled_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_orgs.scope_id,
    period_days.period_start,
    complaints.complaint_id,
    complaints.org_id,
    complaints.category,
    complaints.received_date,
    complaints.due_on,
    complaints.closed_date,
    complaints.outcome,
    coalesce(complaints.closed_date <= complaints.due_on, false) as numerator
from complaints
inner join period_days on coalesce(complaints.due_on, complaints.received_date) = period_days.day
inner join scope_orgs
    on
        complaints.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where coalesce(complaints.due_on, complaints.received_date) < $as_of
