-- title_zh = "来源数据无警告"
-- title_en = "Lines of sources land without a warning"
-- definition = "映射规则（[[rule]]，severity = warn）对每条入湖记录所提的问题：代码、列名；记录照常计数。What the rules of a mapping ([[rule]] with severity = warn) found in a line that landed: the code and the column; the line counts all the same."
-- source = "交换格式的有效性规则，见 sql/sources。validity rules of the exchange formats, in sql/sources"
-- severity = "finding"
-- remedy = "请报送单位更正该列后以新批次重报；代码表与本地不符的，更正映射。Have the unit correct the column and send it in a new batch; where the list of codes is not yours, correct the mapping."
with warned as (
    select
        org_id,
        object_id,
        source,
        event_id,
        event_date,
        json_texts(attributes, 'warnings') as told
    from events
    where strpos(attributes, '"warnings":') > 0
),

warnings as (
    select
        org_id,
        object_id,
        source,
        event_id,
        event_date,
        unnest(string_to_array(btrim(told['warnings'], '[]"'), '","')) as warning
    from warned
)

select
    org_id,
    object_id,
    split_part(warning, ':', 1) as code,
    split_part(warning, ':', 2) as source_column,
    source,
    event_id,
    event_date
from warnings
