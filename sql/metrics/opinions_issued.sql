-- title_zh = "监督意见书数"
-- title_en = "Supervision opinions issued"
-- group = "supervision"
-- indicator = 47
-- definition = "期间内发出的行政执法监督意见书数，按被监督单位归集。Supervision opinions issued in the period, by the unit that they were addressed to."
-- source = "2024年工作报告（11个：城管、市场监管、消防等）。2024 report (11: 城管, 市场监管, 消防 and others)"
-- unit = "opinions"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "opinions_issued_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    opinions.opinion_id,
    opinions.org_id,
    opinions.issuer_id,
    opinions.domain,
    opinions.issued_date
from opinions
inner join period_days on opinions.issued_date = period_days.day
inner join scope_orgs
    on
        opinions.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
