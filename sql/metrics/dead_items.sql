-- title_zh = "长期未行使事项数"
-- title_en = "Items never used"
-- group = "reform"
-- indicator = 41
-- definition = "期末由范围内单位行使的执法事项中，截至期末 5 年内（记录不足 5 年的自首个事件之日起）本范围单位从未在立案或检查中用到者；其间才列入的事项不计。Enforcement items that the units of the scope hold at the end of the period and used in no case and no inspection in the five years up to then, or since the first event where the log is shorter; an item listed since then does not count."
-- source = "清理5年未使用事项：司法部对国办发〔2024〕54号的问题解答；计数规则由本系统定义。clean-up of items unused for 5 years: 司法部 问题解答 on 国办发〔2024〕54号; counting rule defined here"
-- unit = "items"
-- kind = "count"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "dead_items"
-- type = "gauge"
-- window = "now"
with first_day as (
    select min(event_date) as day
    from org_days
),

observed as (
    select
        item_holdings.scope_id,
        item_holdings.period_start,
        item_holdings.item_code,
        item_holdings.name,
        item_holdings.domain,
        item_holdings.holder_id,
        item_holdings.last_day,
        item_holdings.listed_on,
        greatest(
            cast(item_holdings.last_day - interval '5' year as date), first_day.day
        ) as unused_since
    from first_day
    cross join item_holdings
),

uses as (
    select
        org_id,
        item_code,
        filed_date as day
    from cases
    where item_code is not null and filed_date < $to
    union all
    select
        org_id,
        item_code,
        finished_date as day
    from inspections
    where
        item_code is not null
        and (kind is distinct from 'patrol')
        and finished_date < $to
),

org_spans as (
    select distinct
        org_id,
        valid_from,
        valid_to
    from scope_orgs
),

last_org_uses as (
    select
        org_spans.org_id,
        org_spans.valid_from,
        org_spans.valid_to,
        uses.item_code,
        periods.period_start,
        max(uses.day) as used_on
    from periods
    inner join uses on periods.period_end > uses.day
    inner join org_spans
        on
            uses.org_id = org_spans.org_id
            and uses.day >= org_spans.valid_from
            and uses.day < org_spans.valid_to
    group by
        org_spans.org_id,
        org_spans.valid_from,
        org_spans.valid_to,
        uses.item_code,
        periods.period_start
),

last_uses as (
    select
        scope_orgs.scope_id,
        last_org_uses.item_code,
        last_org_uses.period_start,
        max(last_org_uses.used_on) as used_on
    from last_org_uses
    inner join scope_orgs
        on
            last_org_uses.org_id = scope_orgs.org_id
            and last_org_uses.valid_from = scope_orgs.valid_from
            and last_org_uses.valid_to = scope_orgs.valid_to
    group by scope_orgs.scope_id, last_org_uses.item_code, last_org_uses.period_start
)

select
    observed.scope_id,
    observed.period_start,
    observed.item_code,
    observed.name,
    observed.domain,
    observed.holder_id,
    observed.listed_on,
    observed.unused_since
from observed
left anti join last_uses
    on
        observed.scope_id = last_uses.scope_id
        and observed.item_code = last_uses.item_code
        and observed.period_start = last_uses.period_start
        and observed.unused_since <= last_uses.used_on
where
    observed.last_day >= observed.unused_since
    and observed.unused_since >= observed.listed_on
