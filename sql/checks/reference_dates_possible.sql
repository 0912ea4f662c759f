-- title_zh = "基础数据日期合理"
-- title_en = "Dates of reference rows are possible"
-- definition = "各类有效期、证件期、请假期、计划期的结束日晚于开始日（结束日不含）。Every span of validity, certificate, leave, plan or declaration ends after it begins; the end is exclusive."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "更正基础数据文件中的日期后重新装载。Correct the dates in the reference file and land it again."
with spans as (
    select
        'orgs' as table_name,
        org_id,
        org_id as object_id,
        null as officer_id,
        null as party_id,
        'valid' as span,
        valid_from as span_from,
        valid_to as span_to
    from orgs
    union all
    select 'officers', org_id, null, officer_id, null, 'valid', valid_from, valid_to from officers
    union all
    select 'officers', org_id, null, officer_id, null, 'certificate', certificate_from, certificate_to
    from officers
    union all
    select 'leaves', null, null, officer_id, null, 'leave', from_date, to_date from leaves
    union all
    select 'parties', null, null, null, party_id, 'valid', valid_from, valid_to from parties
    union all
    select 'items', null, item_code, null, null, 'valid', valid_from, valid_to from items
    union all
    select 'plans', org_id, plan_id, null, null, 'period', period_start, period_end from plans
    union all
    select 'inspection_caps', null, concat(domain, ' ', risk_tier), null, null, 'valid', valid_from, valid_to
    from inspection_caps
    union all
    select 'declarations', org_id, kind, null, null, 'period', period_start, period_end from declarations
    union all
    select 'feeds', null, feed_id, null, null, 'valid', valid_from, valid_to from feeds
    union all
    select 'reported', null, figure_id, null, null, 'window', from_date, to_date from reported
)

select
    org_id,
    object_id,
    table_name,
    officer_id,
    party_id,
    span,
    span_from,
    span_to
from spans
where span_to <= span_from
