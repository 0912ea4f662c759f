-- title_zh = "作出处罚决定数"
-- title_en = "Cases decided"
-- definition = "期间内作出处罚决定的案件数。Penalty cases decided in the period."
-- source = "行政处罚法; case counts are never a target (art. 74)"
-- unit = "cases"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "cases_decided_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    count(*) as value
from cases
inner join period_days on cases.decided_date = period_days.day
inner join scope_orgs
    on
        cases.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
group by scope_orgs.scope_id, period_days.period_start
