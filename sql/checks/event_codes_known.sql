-- title_zh = "事件属性代码有效"
-- title_en = "Codes in attributes are known"
-- definition = "以代码填写的属性（检查结果、检查类别、程序、审核意见等）取 event_types.csv 所列之值；其他值会被指标误计。Attributes that are codes (result and kind of a check, procedure, opinion of a review …) have one of the values that event_types.csv lists; metrics take other values for what they are not."
-- source = "本系统依据 sql/reference/event_types.csv 定义。defined here, on sql/reference/event_types.csv"
-- severity = "error"
-- remedy = "在映射的 values 中对应到所列代码，以更高 revision 重新报送。Translate the value in the mapping (values) and send the lines again with a higher revision."
with entries as (
    select
        event_type,
        unnest(string_to_array(attributes, '; ')) as entry
    from event_types
    where attributes <> ''
),

own_codes as (
    select
        event_type,
        split_part(entry, ': ', 1) as attribute,
        string_to_array(split_part(entry, ': ', 2), '|') as codes
    from entries
    where strpos(entry, '|') > 0
),

codes as (
    select * from own_codes
    union all
    -- An entry `as TYPE` takes over the attributes of another type.
    select
        entries.event_type,
        own_codes.attribute,
        own_codes.codes
    from entries
    inner join own_codes on entries.entry = concat('as ', own_codes.event_type)
),

told_by_events as (
    select
        org_id,
        event_type,
        event_date,
        json_texts(
            attributes, 'result', 'kind', 'party_kind', 'trigger', 'procedure', 'origin', 'opinion', 'method',
            'outcome', 'decision', 'mode', 'reason'
        ) as told
    from events
    where
        attributes is not null
        and event_type in (select event_type from codes)
),

combinations as (
    -- Few codes make few combinations, however many events there are.
    select
        org_id,
        event_type,
        told,
        count(*) as events,
        min(event_date) as first_date,
        max(event_date) as last_date
    from told_by_events
    group by org_id, event_type, told
),

used as (
    select
        combinations.org_id,
        combinations.event_type,
        codes.attribute,
        codes.codes,
        case codes.attribute
            when 'result' then told['result']
            when 'kind' then told['kind']
            when 'party_kind' then told['party_kind']
            when 'trigger' then told['trigger']
            when 'procedure' then told['procedure']
            when 'origin' then told['origin']
            when 'opinion' then told['opinion']
            when 'method' then told['method']
            when 'outcome' then told['outcome']
            when 'decision' then told['decision']
            when 'mode' then told['mode']
            when 'reason' then told['reason']
        end as code,
        combinations.events,
        combinations.first_date,
        combinations.last_date
    from combinations
    inner join codes on combinations.event_type = codes.event_type
)

select
    org_id,
    concat(event_type, ' ', attribute) as object_id,
    code,
    sum(events) as events,
    min(first_date) as first_date,
    max(last_date) as last_date
from used
where code is not null and not array_has(codes, code)
group by org_id, event_type, attribute, code
