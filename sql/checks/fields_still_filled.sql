-- title_zh = "字段没有断供"
-- title_en = "No field has ceased to be filled"
-- definition = "每个来源、每类事件的每个字段，最近 3 天的填报数不低于按此前 28 天填报率预期的五分之一；预期不足 20 条的不判断。源系统改列名、停填一列时，指标不会报错，只会悄悄变小。In the last three days of a source, a field of a type of event is filled in at least a fifth of the events that the 28 days before would make one expect; fewer than 20 expected are not judged. A column that is renamed or left empty makes no error, only smaller numbers."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "核对源系统最近的改动和映射中该字段所指的列，改正后重新报送这几天的数据；确属停用的字段，28 天后不再提示。Ask what changed in the source, mend the mapping's column for this field and send these days again; a field that has really been given up is no longer told of after 28 days."
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
        recent_days.last_date,
        sum(field_days.events) filter (where field_days.event_date > recent_days.last_date - interval '3 days') as recently,
        sum(field_days.events) filter (where field_days.event_date <= recent_days.last_date - interval '3 days') as before
    from field_days
    inner join recent_days on field_days.source = recent_days.source
    where
        field_days.event_date > recent_days.last_date - interval '31 days'
        and field_days.event_date <= recent_days.last_date
        -- Warnings of a mapping cease when what they are about has been mended.
        and field_days.field <> 'warnings'
    group by 1, 2, 3, 4
),

compared as (
    select
        counted.source,
        counted.event_type,
        counted.field,
        counted.last_date,
        coalesce(counted.recently, 0) as found,
        cast(counted.before as double) / events.before * events.recently as expected
    from counted
    inner join counted as events
        on
            counted.source = events.source
            and counted.event_type = events.event_type
            and events.field = 'event_id'
    where counted.before > 0 and events.recently > 0
)

select
    cast(null as varchar) as org_id,
    concat(source, ' ', event_type, ' ', field) as object_id,
    found,
    round(expected) as expected,
    last_date
from compared
where expected >= 20 and found < expected / 5
