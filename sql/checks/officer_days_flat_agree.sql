-- title_zh = "执法人员日活跃明细与集合一致"
-- title_en = "Active officers one by one agree with their sets"
-- definition = "每个单位每月各活跃层级：明细表中去重人数等于全部日集合之并的人数，明细行数等于各日人数之和。For every month, unit and level, officer_days_flat names as many officers as there are in the union of all days' sets, and has as many rows as the days' sets have members."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "若有落库正在进行，稍后重试；否则停止服务，删除 LAKE/rollups/officer_days_flat 后执行任意一次 lawpulse land。Try again if a landing is going on; otherwise stop the server, remove LAKE/rollups/officer_days_flat and land anything: the table is made anew."
with flat as (
    select
        event_month,
        org_id,
        level,
        count(distinct officer_id) as officers,
        count(*) as officer_days
    from officer_days_flat
    group by event_month, org_id, level
),

sets as (
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
    coalesce(sets.org_id, flat.org_id) as org_id,
    concat(
        coalesce(sets.event_month, flat.event_month),
        ' ',
        coalesce(sets.level, flat.level)
    ) as object_id,
    flat.officers as officers_one_by_one,
    sets.officers as officers_in_sets,
    flat.officer_days as officer_days_one_by_one,
    sets.officer_days as officer_days_in_sets
from sets
full join flat
    on
        sets.event_month = flat.event_month
        and sets.org_id = flat.org_id
        and sets.level = flat.level
where
    coalesce(sets.officers, 0) <> coalesce(flat.officers, 0)
    or coalesce(sets.officer_days, 0) <> coalesce(flat.officer_days, 0)
