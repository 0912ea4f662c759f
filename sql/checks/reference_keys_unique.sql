-- title_zh = "基础数据主键唯一"
-- title_en = "Keys of reference tables are unique"
-- definition = "每张基础数据表中，同一编码同一生效日的行只有一行；执法人员编号不重复。No reference table has two rows of one id and first day, and no officer number is given twice."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "lawpulse land 装载时会按主键替换；重复行来自其他写入程序，请从原始文件重新装载该表。Landing replaces rows by key, so another program has written the second one: restore the table and land it from its file."
with keys as (
    select 'orgs' as table_name, org_id, org_id as object_id, null as officer_id, null as party_id, valid_from
    from orgs
    union all
    select 'officers', org_id, null, officer_id, null, valid_from from officers
    union all
    select 'leaves', null, null, officer_id, null, from_date from leaves
    union all
    select 'officer_numbers', null, cast(officer_no as varchar), null, null, null from officer_numbers
    union all
    select 'parties', null, null, null, party_id, valid_from from parties
    union all
    select 'items', district_id, item_code, null, null, valid_from from items
    union all
    select 'plans', null, plan_id, null, null, null from plans
    union all
    select 'inspection_caps', district_id, concat(domain, ' ', risk_tier), null, null, valid_from
    from inspection_caps
    union all
    select 'declarations', org_id, kind, null, null, period_start from declarations
    union all
    select 'scenes', district_id, scene_id, null, null, null from scenes
    union all
    select 'feeds', null, feed_id, null, null, valid_from from feeds
    union all
    select 'case_limits', null, domain, null, null, null from case_limits
    union all
    select 'clock_rules', null, clock, null, null, null from clock_rules
    union all
    select 'repeat_rules', null, rule_id, null, null, null from repeat_rules
    union all
    select 'penalty_types', null, penalty_type, null, null, null from penalty_types
    union all
    select 'event_types', null, event_type, null, null, null from event_types
    union all
    select 'calendar', null, null, null, null, day from calendar
)

select
    org_id,
    object_id,
    table_name,
    officer_id,
    party_id,
    valid_from,
    count(*) as copies
from keys
group by org_id, object_id, table_name, officer_id, party_id, valid_from
having count(*) > 1
