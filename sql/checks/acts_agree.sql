-- title_zh = "其他事项明细与原始事件一致"
-- title_en = "Acts agree with the log"
-- definition = "登录、检查、巡查、案件以外的每类事件，明细表每月每单位的条数与原始事件相同。Of every event type that is no login and no step of an inspection, a patrol or a case, the rollup acts holds as many rows a month and unit as the log."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "若有落库正在进行，稍后重试；否则停止服务，删除 LAKE/rollups/acts 后执行任意一次 lawpulse land。Try again if a landing is going on; otherwise stop the server, remove LAKE/rollups/acts and land anything: the rollup is computed anew."
with in_log as (
    select
        event_month,
        org_id,
        event_type,
        count(*) as events
    from events
    where event_type !~ '^(officer|patrol|inspection|credential|code|case)([.]|$)'
    group by event_month, org_id, event_type
),

in_rollup as (
    select
        event_month,
        org_id,
        event_type,
        count(*) as events
    from acts
    group by event_month, org_id, event_type
)

select
    coalesce(in_log.org_id, in_rollup.org_id) as org_id,
    concat(
        coalesce(in_log.event_month, in_rollup.event_month),
        ' ',
        coalesce(in_log.event_type, in_rollup.event_type)
    ) as object_id,
    in_rollup.events as events_in_rollup,
    in_log.events as events_in_log
from in_rollup
full join in_log
    on
        in_rollup.event_month = in_log.event_month
        and in_rollup.org_id = in_log.org_id
        and in_rollup.event_type = in_log.event_type
where in_rollup.events is distinct from in_log.events
