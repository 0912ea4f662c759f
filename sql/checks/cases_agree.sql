-- title_zh = "案件汇总与原始事件一致"
-- title_en = "Cases agree with the log"
-- definition = "每件案件在汇总表中恰好一行，其步骤数与立案、决定、送达、结案日期同原始事件相同。Every case that the log names stands in the rollup with as many steps and with the same days of filing, decision, service and closing, and no other does."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "若有落库正在进行，稍后重试；否则停止服务，删除 LAKE/rollups/cases 后执行任意一次 lawpulse land。Try again if a landing is going on; otherwise stop the server, remove LAKE/rollups/cases and land anything: the rollup is computed anew."
with in_log as (
    select
        object_id as case_id,
        max(org_id) as org_id,
        count(*) as steps,
        min(case when event_type = 'case.filed' then event_date end) as filed_date,
        max(case when event_type = 'case.decided' then event_date end) as decided_date,
        max(case when event_type = 'case.served' then event_date end) as served_date,
        max(case when event_type = 'case.closed' then event_date end) as closed_date
    from events
    where event_type like 'case.%' and object_id is not null
    group by object_id
)

select
    coalesce(cases.org_id, in_log.org_id) as org_id,
    coalesce(in_log.case_id, cases.case_id) as object_id,
    cases.steps as steps_in_rollup,
    in_log.steps as steps_in_log,
    cases.filed_date as filed_in_rollup,
    in_log.filed_date as filed_in_log,
    cases.decided_date as decided_in_rollup,
    in_log.decided_date as decided_in_log,
    cases.closed_date as closed_in_rollup,
    in_log.closed_date as closed_in_log
from cases
full join in_log on cases.case_id = in_log.case_id
where
    (cases.steps is distinct from in_log.steps)
    or (cases.filed_date is distinct from in_log.filed_date)
    or (cases.decided_date is distinct from in_log.decided_date)
    or (cases.served_date is distinct from in_log.served_date)
    or (cases.closed_date is distinct from in_log.closed_date)
