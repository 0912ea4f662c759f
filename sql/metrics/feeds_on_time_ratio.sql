-- title_zh = "共享数据按期更新率"
-- title_en = "Shared data delivered on time"
-- group = "data"
-- definition = "期末已接通的共享数据源中，最近一次交付距期末不超过约定周期（自然日）者所占比例；从未交付的不算按期。全区计全部数据源，其他范围按提供单位。Feeds of shared data linked at the end of the period whose newest delivery is no older than their agreed cadence in calendar days; one that never delivered is not on time. The district has all feeds, another scope those that its units provide."
-- source = "本系统定义；2024年工作报告（数据共享）。defined here; 2024 report (数据共享)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "feeds_on_time_ratio"
-- type = "gauge"
-- window = "now"
with in_force as (
    select *
    from scope_feeds
    where kind = 'data'
),

deliveries as (
    select distinct
        json_get_str(attributes, 'feed_id') as feed_id,
        event_date
    from acts
    where event_type = 'feed.delivered'
),

last_deliveries as (
    select
        periods.period_start,
        deliveries.feed_id,
        max(deliveries.event_date) as delivered_on
    from periods
    inner join deliveries on periods.period_end > deliveries.event_date
    group by periods.period_start, deliveries.feed_id
)

select
    in_force.scope_id,
    in_force.period_start,
    in_force.feed_id,
    in_force.org_id,
    in_force.linked_on,
    in_force.cadence_days,
    last_deliveries.delivered_on,
    coalesce(
        cast(in_force.last_day as int) - cast(last_deliveries.delivered_on as int)
        <= in_force.cadence_days,
        false
    ) as numerator
from in_force
left join last_deliveries
    on
        in_force.period_start = last_deliveries.period_start
        and in_force.feed_id = last_deliveries.feed_id
