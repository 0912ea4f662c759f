-- title_zh = "事件属性可读"
-- title_en = "Attributes of events can be read"
-- definition = "应为数量、日期、是否的属性确为不小于 0 的数（除学时、评分外为整数）、日期、true 或 false；读不出的值按未填写处理。Attributes that ought to be amounts, days or flags are numbers of at least 0 (whole ones but for hours and scores), dates, true or false; what cannot be read counts as not given."
-- source = "本系统依据 sql/reference/event_types.csv 定义。defined here, on sql/reference/event_types.csv"
-- severity = "error"
-- remedy = "在映射中转换该列（金额以分计，日期写作 2024-03-05），以更高 revision 重新报送。Convert the column in the mapping (money in fen, days as in 2024-03-05) and send the lines again with a higher revision."
with told_by_events as (
    select
        org_id,
        event_id,
        event_type,
        event_date,
        json_texts(
            attributes,
            'problems', 'av_seconds', 'documents', 'days', 'fine_fen', 'confiscated_fen', 'paid_fen',
            'panel_size', 'opinions_given', 'opinions_adopted', 'records', 'hours', 'score', 'rectify_by',
            'due_on', 'double_random', 'ordered_from_above', 'av_required', 'hearing_right', 'is_major',
            'is_publishable', 'consent', 'is_emergency', 'is_joint', 'accepted', 'adopted', 'has_veto'
        ) as told
    from events
    where
        attributes is not null
        and event_type in (select event_type from event_types where attributes <> '')
),

judged as (
    -- What can be read makes no text, so no list and no row: a condition after it would be moved before
    -- the search for the fields, which would then be made once for each of them.
    select
        org_id,
        event_id,
        event_type,
        event_date,
        unnest(string_to_array(nullif(concat_ws(
            chr(31),
            case when coalesce(try_cast(told['problems'] as bigint), -1) < 0 then 'problems = ' || told['problems'] end,
            case when coalesce(try_cast(told['av_seconds'] as bigint), -1) < 0 then 'av_seconds = ' || told['av_seconds'] end,
            case when coalesce(try_cast(told['documents'] as bigint), -1) < 0 then 'documents = ' || told['documents'] end,
            case when coalesce(try_cast(told['days'] as bigint), -1) < 0 then 'days = ' || told['days'] end,
            case when coalesce(try_cast(told['fine_fen'] as bigint), -1) < 0 then 'fine_fen = ' || told['fine_fen'] end,
            case when coalesce(try_cast(told['confiscated_fen'] as bigint), -1) < 0 then 'confiscated_fen = ' || told['confiscated_fen'] end,
            case when coalesce(try_cast(told['paid_fen'] as bigint), -1) < 0 then 'paid_fen = ' || told['paid_fen'] end,
            case when coalesce(try_cast(told['panel_size'] as bigint), -1) < 0 then 'panel_size = ' || told['panel_size'] end,
            case when coalesce(try_cast(told['opinions_given'] as bigint), -1) < 0 then 'opinions_given = ' || told['opinions_given'] end,
            case when coalesce(try_cast(told['opinions_adopted'] as bigint), -1) < 0 then 'opinions_adopted = ' || told['opinions_adopted'] end,
            case when coalesce(try_cast(told['records'] as bigint), -1) < 0 then 'records = ' || told['records'] end,
            case when coalesce(try_cast(told['hours'] as double), -1) < 0 then 'hours = ' || told['hours'] end,
            case when coalesce(try_cast(told['score'] as double), -1) < 0 then 'score = ' || told['score'] end,
            case when try_cast(told['rectify_by'] as date) is null then 'rectify_by = ' || told['rectify_by'] end,
            case when try_cast(told['due_on'] as date) is null then 'due_on = ' || told['due_on'] end,
            case when told['double_random'] not in ('true', 'false') then 'double_random = ' || told['double_random'] end,
            case when told['ordered_from_above'] not in ('true', 'false') then 'ordered_from_above = ' || told['ordered_from_above'] end,
            case when told['av_required'] not in ('true', 'false') then 'av_required = ' || told['av_required'] end,
            case when told['hearing_right'] not in ('true', 'false') then 'hearing_right = ' || told['hearing_right'] end,
            case when told['is_major'] not in ('true', 'false') then 'is_major = ' || told['is_major'] end,
            case when told['is_publishable'] not in ('true', 'false') then 'is_publishable = ' || told['is_publishable'] end,
            case when told['consent'] not in ('true', 'false') then 'consent = ' || told['consent'] end,
            case when told['is_emergency'] not in ('true', 'false') then 'is_emergency = ' || told['is_emergency'] end,
            case when told['is_joint'] not in ('true', 'false') then 'is_joint = ' || told['is_joint'] end,
            case when told['accepted'] not in ('true', 'false') then 'accepted = ' || told['accepted'] end,
            case when told['adopted'] not in ('true', 'false') then 'adopted = ' || told['adopted'] end,
            case when told['has_veto'] not in ('true', 'false') then 'has_veto = ' || told['has_veto'] end
        ), ''), chr(31))) as unreadable
    from told_by_events
)

select
    org_id,
    event_id as object_id,
    event_type,
    unreadable,
    event_date
from judged
