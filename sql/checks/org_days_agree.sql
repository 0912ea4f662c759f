-- title_zh = "单位日事件量与原始事件一致"
-- title_en = "Events per day agree with the log"
-- definition = "每个单位每日每类事件的汇总条数及最近时间与原始事件相同。The rollup org_days holds, for every day, unit and event type, as many events as the log, and the same last instant."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "若有落库正在进行，稍后重试；否则停止服务，删除 LAKE/rollups/org_days 后执行任意一次 lawpulse land，汇总即重新计算。Try again if a landing is going on; otherwise stop the server, remove LAKE/rollups/org_days and land anything: the rollup is computed anew."
with in_log as (
    select
        event_date,
        org_id,
        event_type,
        count(*) as events,
        max(occurred_at) as last_occurred_at
    from events
    group by event_date, org_id, event_type
)

select
    coalesce(in_log.org_id, org_days.org_id) as org_id,
    concat(
        coalesce(in_log.event_date, org_days.event_date),
        ' ',
        coalesce(in_log.event_type, org_days.event_type)
    ) as object_id,
    org_days.events as events_in_rollup,
    in_log.events as events_in_log,
    org_days.last_occurred_at as last_in_rollup,
    in_log.last_occurred_at as last_in_log
from org_days
full join in_log
    on
        org_days.event_date = in_log.event_date
        and org_days.org_id = in_log.org_id
        and org_days.event_type = in_log.event_type
where
    (org_days.events is distinct from in_log.events)
    or (org_days.last_occurred_at is distinct from in_log.last_occurred_at)
