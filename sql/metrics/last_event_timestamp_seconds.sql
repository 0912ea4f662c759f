-- title_zh = "最新事件时间"
-- title_en = "Time of the newest event"
-- group = "data"
-- definition = "截至期末最新事件的发生时间（Unix 秒）。When the newest event up to the end of the period happened, Unix seconds."
-- source = "本系统定义。defined here"
-- unit = "seconds"
-- kind = "gauge"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "last_event_timestamp_seconds"
-- type = "gauge"
-- window = "now"
with org_last as (
    select
        org_id,
        event_date,
        cast(extract(epoch from max(last_occurred_at)) as double) as occurred
    from org_days
    group by org_id, event_date
),

moments as (
    -- Events, and last days of periods, in one order of time.
    select
        scope_orgs.scope_id,
        org_last.event_date as day,
        max(org_last.occurred) as occurred,
        cast(null as date) as period_start
    from org_last
    inner join scope_orgs
        on
            org_last.org_id = scope_orgs.org_id
            and org_last.event_date >= scope_orgs.valid_from
            and org_last.event_date < scope_orgs.valid_to
    group by scope_orgs.scope_id, org_last.event_date
    union all
    select distinct
        scope_orgs.scope_id,
        periods.period_end - 1 as day,
        cast(null as double) as occurred,
        periods.period_start
    from scope_orgs
    cross join periods
),

followed as (
    select
        scope_id,
        period_start,
        max(occurred) over (
            partition by scope_id
            order by day range between unbounded preceding and current row
        ) as occurred
    from moments
)

select
    scope_id,
    period_start,
    occurred as value
from followed
where period_start is not null and occurred is not null
