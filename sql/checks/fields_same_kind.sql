-- title_zh = "字段类型没有变化"
-- title_en = "No field has changed its type"
-- definition = "每个来源、每类事件的每个字段，最近 3 天的值与此前 28 天类型相同（数、日期、文本、是否、列表、对象）：不到 1% 的类型不会突然占到五分之一；最近不足 20 条或此前不足 100 条的不判断。例如罚款由“元”变为“1.5万元”，日期由 2024-03-05 变为 5/3。In the last three days of a source the values of a field are of the types that they had in the 28 days before: a type of less than one per cent does not become a fifth; fewer than 20 values recently, or 100 before, are not judged."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "核对源系统最近的改动，在映射中转换该列，再重新报送这几天的数据。Ask what changed in the source, convert the column in the mapping and send these days again."
with recent_days as (
    select
        source,
        max(event_date) as last_date
    from field_days
    group by source
),

counted as (
    select
        field_days.source,
        field_days.event_type,
        field_days.field,
        field_days.kind,
        recent_days.last_date,
        coalesce(sum(field_days.events) filter (where field_days.event_date > recent_days.last_date - interval '3 days'), 0) as recently,
        coalesce(sum(field_days.events) filter (where field_days.event_date <= recent_days.last_date - interval '3 days'), 0) as before
    from field_days
    inner join recent_days on field_days.source = recent_days.source
    where
        field_days.event_date > recent_days.last_date - interval '31 days'
        and field_days.event_date <= recent_days.last_date
    group by 1, 2, 3, 4, 5
),

shared as (
    select
        *,
        sum(recently) over (partition by source, event_type, field) as all_recently,
        sum(before) over (partition by source, event_type, field) as all_before
    from counted
)

select
    cast(null as varchar) as org_id,
    concat(source, ' ', event_type, ' ', field) as object_id,
    kind,
    recently as values_recently,
    before as values_before,
    last_date
from shared
where
    all_recently >= 20
    and all_before >= 100
    and recently * 5 >= all_recently
    and before * 100 < all_before
