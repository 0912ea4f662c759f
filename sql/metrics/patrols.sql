-- title_zh = "日常巡查次数"
-- title_en = "Patrols"
-- definition = "期间内录入的日常巡查次数。Patrols recorded in the period."
-- source = "2024 report (3253 by the 镇街 since the reform began)"
-- unit = "patrols"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "patrols_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    count(*) as value
from inspections
inner join period_days on inspections.finished_date = period_days.day
inner join scope_orgs
    on
        inspections.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where inspections.kind = 'patrol'
group by scope_orgs.scope_id, period_days.period_start
