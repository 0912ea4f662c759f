-- title_zh = "已归集事件数"
-- title_en = "Events landed"
-- group = "data"
-- definition = "期间内发生、已归集的事件数（最新版本，已撤销的不计）。Events that happened in the period and have landed, newest revisions."
-- source = "本系统定义。defined here"
-- unit = "events"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "events_landed_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    org_days.org_id,
    org_days.event_date,
    org_days.event_type,
    org_days.events as value
from org_days
inner join period_days
    on
        org_days.event_date = period_days.day
        and org_days.event_date >= $from
        and org_days.event_date < $to
inner join scope_orgs
    on
        org_days.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
