-- title_zh = "人均检查量"
-- title_en = "Inspections per officer"
-- group = "inspection"
-- indicator = 7
-- definition = "期间内完成的检查（按单位参加次数，不含日常巡查）除以期末在册执法人员数；只宜在同一领域内比较，不排名。Finished inspections, once for each unit that takes part and without patrols, per officer on the roster on the last day of the period. To be compared only within one domain, and never ranked."
-- source = "名称取自北京市东城区2019年人均检查量；公式由本系统定义。name: 人均检查量 of Beijing Dongcheng 2019; formula defined here"
-- unit = "inspections per officer"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [prometheus]
-- name = "inspections_per_officer"
-- type = "gauge"
-- window = "year"
with finished as (
    select
        scope_id,
        period_start,
        count(*) as inspections
    from finished_inspections
    where kind is distinct from 'patrol'
    group by scope_id, period_start
)

select
    roster.scope_id,
    roster.period_start,
    coalesce(finished.inspections, 0) as numerator,
    set_count(roster.officers) as denominator
from roster
left join finished
    on
        roster.scope_id = finished.scope_id
        and roster.period_start = finished.period_start
-- rows
select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    party_id,
    finished_date
from finished_inspections
where kind is distinct from 'patrol'
