-- title_zh = "期末各范围已接通的共享数据源与应用"
-- title_en = "Feeds and applications in force and linked on the last day of each period, for each scope that has them"
-- kind = "view"
-- grain = ["scope_id", "period_start", "feed_id"]
-- # The whole tree has every feed, whoever provides it; a district of several those of its own; and every scope those that
-- # its units provide.
with owners as (
    select distinct
        scope_ends.scope_id,
        scope_ends.org_id,
        scope_ends.period_start,
        scope_levels.scope_id is not null as is_level
    from scope_ends
    left join scope_levels on scope_ends.scope_id = scope_levels.scope_id
),

held as (
    select
        scope_levels.scope_id,
        periods.period_start,
        feeds.feed_id,
        feeds.valid_from
    from scope_levels
    cross join periods
    cross join feeds
    where scope_levels.is_whole
    union
    select
        owners.scope_id,
        owners.period_start,
        feeds.feed_id,
        feeds.valid_from
    from owners
    inner join feeds on owners.org_id = feeds.from_org_id
    union
    select
        owners.scope_id,
        owners.period_start,
        feeds.feed_id,
        feeds.valid_from
    from owners
    inner join feeds on owners.org_id = feeds.district_id
    where owners.is_level
)

select
    held.scope_id,
    held.period_start,
    periods.period_end - 1 as last_day,
    feeds.feed_id,
    feeds.kind,
    feeds.name,
    feeds.from_org_id as org_id,
    feeds.cadence_days,
    feeds.linked_on
from held
inner join periods on held.period_start = periods.period_start
inner join feeds
    on
        held.feed_id = feeds.feed_id
        and (held.valid_from is not distinct from feeds.valid_from)
where
    feeds.linked_on <= periods.period_end - 1
    and (feeds.valid_from is null or feeds.valid_from <= periods.period_end - 1)
    and (feeds.valid_to is null or feeds.valid_to > periods.period_end - 1)
