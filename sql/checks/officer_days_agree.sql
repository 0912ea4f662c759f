-- title_zh = "执法人员活跃集合与原始事件一致"
-- title_en = "Sets of active officers agree with the log"
-- definition = "每个单位每月各活跃层级：全部日集合之并的人数等于原始事件中去重人数，各日人数之和等于原始事件中去重的人日数。For every month, unit and level, the union of all days' sets has as many officers as the log names, and the days' sets together have as many officer-days."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "若有落库正在进行，稍后重试；否则停止服务，删除 LAKE/rollups/officer_days 后执行任意一次 lawpulse land。Try again if a landing is going on; otherwise stop the server, remove LAKE/rollups/officer_days and land anything: the rollup is computed anew."
with named as (
    select
        events.event_date,
        events.org_id,
        event_types.activity_level = 1 as is_l1,
        event_types.activity_level = 2 as is_l2,
        event_types.activity_level = 2 and event_types.is_field_work as is_fw,
        unnest(events.officer_ids) as officer_id
    from events
    inner join event_types on events.event_type = event_types.event_type
    where event_types.activity_level > 0
),

officer_days_in_log as (
    select
        event_date,
        org_id,
        officer_id,
        bool_or(is_l1) as has_l1,
        bool_or(is_l2) as has_l2,
        bool_or(is_fw) as has_fw
    from named
    group by event_date, org_id, officer_id
),

officers_in_log as (
    select
        to_char(event_date, '%Y-%m') as event_month,
        org_id,
        officer_id,
        count(*) filter (where has_l1) as l1_days,
        count(*) filter (where has_l2) as l2_days,
        count(*) filter (where has_fw) as fw_days
    from officer_days_in_log
    group by to_char(event_date, '%Y-%m'), org_id, officer_id
),

in_log as (
    select
        event_month,
        org_id,
        count(*) filter (where l1_days > 0) as l1_officers,
        count(*) filter (where l2_days > 0) as l2_officers,
        count(*) filter (where fw_days > 0) as fw_officers,
        sum(l1_days) as l1_days,
        sum(l2_days) as l2_days,
        sum(fw_days) as fw_days
    from officers_in_log
    group by event_month, org_id
),

log_levels as (
    -- One row a level, so that both sides have the same shape.
    select
        in_log.event_month,
        in_log.org_id,
        levels.level,
        case levels.level
            when 'L1' then l1_officers when 'L2' then l2_officers else fw_officers
        end as officers,
        case levels.level when 'L1' then l1_days when 'L2' then l2_days else fw_days end as officer_days
    from in_log
    cross join (values ('L1'), ('L2'), ('FW')) as levels (level)
),

in_rollup as (
    select
        event_month,
        org_id,
        level,
        set_count(set_union(officers)) as officers,
        sum(set_count(officers)) as officer_days
    from officer_days
    group by event_month, org_id, level
)

select
    coalesce(log_levels.org_id, in_rollup.org_id) as org_id,
    concat(
        coalesce(log_levels.event_month, in_rollup.event_month),
        ' ',
        coalesce(log_levels.level, in_rollup.level)
    ) as object_id,
    in_rollup.officers as officers_in_rollup,
    log_levels.officers as officers_in_log,
    in_rollup.officer_days as officer_days_in_rollup,
    log_levels.officer_days as officer_days_in_log
from log_levels
full join in_rollup
    on
        log_levels.event_month = in_rollup.event_month
        and log_levels.org_id = in_rollup.org_id
        and log_levels.level = in_rollup.level
where
    coalesce(log_levels.officers, 0) <> coalesce(in_rollup.officers, 0)
    or coalesce(log_levels.officer_days, 0) <> coalesce(in_rollup.officer_days, 0)
