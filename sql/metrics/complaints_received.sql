-- title_zh = "投诉举报受理数"
-- title_en = "Complaints received"
-- group = "supervision"
-- indicator = 52
-- definition = "期间内收到的投诉举报件数。Complaints received in the period."
-- source = "本系统定义。defined here"
-- unit = "complaints"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "complaints_received_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    complaints.complaint_id,
    complaints.org_id,
    complaints.category,
    complaints.received_date
from complaints
inner join period_days on complaints.received_date = period_days.day
inner join scope_orgs
    on
        complaints.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
