-- title_zh = "检查与巡查汇总与原始事件一致"
-- title_en = "Inspections agree with the log"
-- definition = "每次检查或巡查在汇总表中恰好一行，其开始日、完成日与原始事件相同。Every inspection and patrol that the log names stands in the rollup, with the first day on which it was started and the last on which it was finished or recorded, and no other does."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "若有落库正在进行，稍后重试；否则停止服务，删除 LAKE/rollups/inspections 后执行任意一次 lawpulse land。Try again if a landing is going on; otherwise stop the server, remove LAKE/rollups/inspections and land anything: the rollup is computed anew."
with in_log as (
    select
        object_id as inspection_id,
        max(org_id) as org_id,
        min(case when event_type = 'inspection.started' then event_date end) as started_date,
        max(case when event_type <> 'inspection.started' then event_date end) as finished_date
    from events
    where
        event_type in ('inspection.started', 'inspection.finished', 'patrol.recorded')
        and object_id is not null
    group by object_id
),

in_rollup as (
    -- What only a later step names (a result published, a code scanned) has neither day.
    select
        inspection_id,
        org_id,
        started_date,
        finished_date
    from inspections
    where started_date is not null or finished_date is not null
)

select
    coalesce(in_rollup.org_id, in_log.org_id) as org_id,
    coalesce(in_log.inspection_id, in_rollup.inspection_id) as object_id,
    in_rollup.started_date as started_in_rollup,
    in_log.started_date as started_in_log,
    in_rollup.finished_date as finished_in_rollup,
    in_log.finished_date as finished_in_log
from in_rollup
full join in_log on in_rollup.inspection_id = in_log.inspection_id
where
    (in_rollup.started_date is distinct from in_log.started_date)
    or (in_rollup.finished_date is distinct from in_log.finished_date)
