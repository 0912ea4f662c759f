-- title_zh = "基础数据版本不重叠"
-- title_en = "Versions of a reference row do not overlap"
-- definition = "同一单位、任职、相对人、事项、频次上限或数据源的各版本有效期互不重叠（valid_to 当日不含）。The spans from valid_from to valid_to (exclusive) of the versions of one unit, posting, party, item, cap or feed do not overlap: on a day that two versions cover, numbers could count either."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "在前一版本中填写 valid_to，等于后一版本的 valid_from，重新装载。Give the earlier version a valid_to that is the valid_from of the later one, and land the file again."
with versions as (
    select
        'orgs' as table_name,
        org_id,
        org_id as object_id,
        null as officer_id,
        null as party_id,
        valid_from,
        valid_to
    from orgs
    union all
    select 'officers', org_id, null, officer_id, null, valid_from, valid_to from officers
    union all
    select 'parties', null, null, null, party_id, valid_from, valid_to from parties
    union all
    select 'items', district_id, item_code, null, null, valid_from, valid_to from items
    union all
    select 'inspection_caps', district_id, concat(domain, ' ', risk_tier), null, null, valid_from, valid_to
    from inspection_caps
    union all
    select 'feeds', null, feed_id, null, null, valid_from, valid_to from feeds
),

with_earlier as (
    select
        *,
        max(coalesce(valid_to, date '9999-12-31')) over (
            partition by table_name, org_id, object_id, officer_id, party_id
            order by coalesce(valid_from, date '1900-01-01')
            rows between unbounded preceding and 1 preceding
        ) as earlier_until
    from versions
)

select
    org_id,
    object_id,
    table_name,
    officer_id,
    party_id,
    valid_from,
    valid_to,
    earlier_until
from with_earlier
where earlier_until > coalesce(valid_from, date '1900-01-01')
