-- title_zh = "汇总表主键唯一"
-- title_en = "Keys of rollups are unique"
-- definition = "每张汇总表中，主键相同的行只有一行。No rollup has two rows of one key."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "停止服务，删除 LAKE/rollups 下该表的目录后执行任意一次 lawpulse land。Stop the server, remove the folder of that table under LAKE/rollups and land anything: the rollup is computed anew."
select
    org_id,
    concat(event_date, ' ', event_type) as object_id,
    'org_days' as table_name,
    count(*) as copies
from org_days
group by event_date, org_id, event_type
having count(*) > 1
union all
select
    org_id,
    concat(event_date, ' ', level) as object_id,
    'officer_days' as table_name,
    count(*) as copies
from officer_days
group by event_date, org_id, level
having count(*) > 1
union all
select
    null as org_id,
    concat(event_date, ' ', level) as object_id,
    'officer_days_all' as table_name,
    count(*) as copies
from officer_days_all
group by event_date, level
having count(*) > 1
union all
select
    min(org_id) as org_id,
    inspection_id as object_id,
    'inspections' as table_name,
    count(*) as copies
from inspections
group by inspection_id
having count(*) > 1
union all
select
    min(org_id) as org_id,
    case_id as object_id,
    'cases' as table_name,
    count(*) as copies
from cases
group by case_id
having count(*) > 1
union all
select
    min(org_id) as org_id,
    event_id as object_id,
    'acts' as table_name,
    count(*) as copies
from acts
group by event_id
having count(*) > 1
union all
select
    null as org_id,
    concat(event_date, ' ', source, ' ', event_type, ' ', field, ' ', kind) as object_id,
    'field_days' as table_name,
    count(*) as copies
from field_days
group by event_date, source, event_type, field, kind
having count(*) > 1
