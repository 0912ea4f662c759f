-- title_zh = "活跃人员人均业务量"
-- title_en = "Records per active officer"
-- group = "usage"
-- indicator = 5
-- definition = "期间内实质业务记录（L2 事件）数与同期活跃人数（按所选层级，不论是否在册）之比；只宜在同类单位之间比较，不作排名。Substantive records (level-2 events) of the period per officer who was active in it, on the roster or not, by level; to be compared with peers of the same kind only, never ranked."
-- source = "本系统定义（depth_low：与同类单位的下四分位比较）。defined here (DOMAIN: depth_low compares it with the 25th percentile of peers)"
-- unit = "records per officer"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [parameters.level]
-- values = ["L1", "L2", "L3"]
-- default = "L2"
-- [prometheus]
-- name = "records_per_active_officer"
-- type = "gauge"
-- window = "28d"
with records as (
    select
        scope_id,
        period_start,
        sum(records) as records
    from substantive_records
    group by scope_id, period_start
)

select
    active_officers.scope_id,
    active_officers.period_start,
    coalesce(records.records, 0) as numerator,
    set_count(active_officers.officers) as denominator
from active_officers
left join records
    on
        active_officers.scope_id = records.scope_id
        and active_officers.period_start = records.period_start
-- rows
select
    scope_id,
    period_start,
    org_id,
    event_type,
    records
from substantive_records
