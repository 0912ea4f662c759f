-- title_zh = "人均业务量"
-- title_en = "Records per officer"
-- group = "usage"
-- indicator = 5
-- definition = "期间内实质业务记录（L2 事件）数与期末在册人数之比；只宜在同类单位之间比较，不作排名。Substantive records (level-2 events) of the period per officer of the roster at its end; to be compared with peers of the same kind only, never ranked."
-- source = "本系统定义；与北京市东城区2019年人均检查量（按领域分组计分）相近。defined here; near to 人均检查量 of Beijing Dongcheng 2019, which is scored inside domain groups"
-- unit = "records per officer"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [prometheus]
-- name = "records_per_officer"
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
    roster.scope_id,
    roster.period_start,
    coalesce(records.records, 0) as numerator,
    set_count(roster.officers) as denominator
from roster
left join records
    on
        roster.scope_id = records.scope_id
        and roster.period_start = records.period_start
-- rows
select
    scope_id,
    period_start,
    org_id,
    event_type,
    records
from substantive_records
