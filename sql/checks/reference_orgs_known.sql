-- title_zh = "基础数据所指单位存在"
-- title_en = "Units that reference tables name are known"
-- definition = "单位的上级与承接单位、人员所在单位、事项行使单位、计划、申报与数据源所属单位，以及清单、上限、场景、相对人所属的区县，均在单位表中。Parents and successors of units, the units of postings, items, plans, declarations and feeds, and the districts of lists, caps, scenes, feeds and parties, stand in the register of units."
-- source = "本系统定义。defined here"
-- severity = "error"
-- org = "the unit that is missing"
-- remedy = "在 orgs.csv 中补充该单位（可注明失效日），或更正引用后重新装载。Add the unit to orgs.csv (an ended one with its valid_to), or correct the row that names it, and land the file again."
with named as (
    select 'orgs' as table_name, 'parent_id' as column_name, parent_id as org_id, org_id as object_id, null as officer_id
    from orgs
    union all
    select 'orgs', 'successor_id', successor_id, org_id, null from orgs
    union all
    select 'officers', 'org_id', org_id, null, officer_id from officers
    union all
    select 'items', 'holder_id', holder_id, item_code, null from items
    union all
    select 'plans', 'org_id', org_id, plan_id, null from plans
    union all
    select 'declarations', 'org_id', org_id, kind, null from declarations
    union all
    select 'feeds', 'from_org_id', from_org_id, feed_id, null from feeds
    union all
    select 'items', 'district_id', district_id, item_code, null from items
    union all
    select 'inspection_caps', 'district_id', district_id, domain, null from inspection_caps
    union all
    select 'scenes', 'district_id', district_id, scene_id, null from scenes
    union all
    select 'feeds', 'district_id', district_id, feed_id, null from feeds
    union all
    select distinct 'parties', 'district_id', district_id, null, null from parties
)

select distinct
    named.org_id,
    named.object_id,
    named.table_name,
    named.column_name,
    named.officer_id
from named
left anti join orgs on named.org_id = orgs.org_id
where named.org_id is not null
