-- title_zh = "共享数据源存在"
-- title_en = "Feeds are known"
-- definition = "每次数据交换所引用的数据源均在数据源表中。The feed that a delivery of shared data names stands in the register of feeds."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "在 feeds.csv 中补充该数据源，或更正其编号。Add the feed to feeds.csv, or correct its id."
with named as (
    select
        org_id,
        object_id,
        event_date,
        json_get_str(attributes, 'feed_id') as feed_id
    from acts
    where event_type = 'feed.delivered'
)

select
    named.org_id,
    named.object_id,
    named.feed_id,
    named.event_date
from named
left anti join feeds on named.feed_id = feeds.feed_id
