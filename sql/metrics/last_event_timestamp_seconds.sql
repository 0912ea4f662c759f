-- title_zh = "最新事件时间"
-- title_en = "Time of the newest event"
-- definition = "截至期末最新事件的发生时间（Unix 秒）。When the newest event up to the end of the period happened, Unix seconds."
-- source = "defined here"
-- unit = "seconds"
-- kind = "gauge"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "last_event_timestamp_seconds"
-- type = "gauge"
-- window = "now"
select
    scope_orgs.scope_id,
    periods.period_start,
    cast(extract(epoch from max(org_days.last_occurred_at)) as double) as value
from periods
inner join org_days on periods.period_end > org_days.event_date
inner join scope_orgs
    on
        org_days.org_id = scope_orgs.org_id
        and org_days.event_date >= scope_orgs.valid_from
        and org_days.event_date < scope_orgs.valid_to
group by scope_orgs.scope_id, periods.period_start
