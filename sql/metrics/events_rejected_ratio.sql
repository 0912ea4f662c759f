-- title_zh = "退回率"
-- title_en = "Lines refused"
-- group = "data"
-- definition = "期间内（按入库日）被退回的行占全部行的比例；重复行不计。仅全区。Lines refused of all lines kept, by the local day of landing; duplicates are not kept. Whole tree only: a refused line has no sure unit."
-- source = "本系统定义。defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- [prometheus]
-- name = "events_rejected_ratio"
-- type = "gauge"
-- window = "none"
with lines as (
    select
        local_date(landed_at) as day,
        event_month = 'rejected' as is_reject
    from event_log
),

daily as (
    select
        day,
        count(*) filter (where is_reject) as rejects,
        count(*) as lines
    from lines
    group by day
)

select
    asked.scope_id,
    period_days.period_start,
    sum(daily.rejects) as numerator,
    sum(daily.lines) as denominator
from daily
inner join period_days on daily.day = period_days.day
inner join scope_levels as asked on asked.is_whole
group by asked.scope_id, period_days.period_start
-- rows
select
    asked.scope_id,
    period_days.period_start,
    rejects.source,
    rejects.reason,
    local_date(rejects.landed_at) as landed_on,
    count(*) as lines
from rejects
inner join period_days on local_date(rejects.landed_at) = period_days.day
inner join scope_levels as asked on asked.is_whole
group by
    asked.scope_id,
    period_days.period_start,
    rejects.source,
    rejects.reason,
    local_date(rejects.landed_at)
