-- title_zh = "全域日活跃集合与各单位一致"
-- title_en = "Active officers of the whole tree agree with those of its units"
-- definition = "每日各活跃层级：全域集合等于各单位集合之并。For every day and level, the set of the whole tree is the union of its units' sets."
-- source = "本系统定义。defined here"
-- severity = "error"
-- remedy = "若有落库正在进行，稍后重试；否则停止服务，删除 LAKE/rollups/officer_days_all 后执行任意一次 lawpulse land。Try again if a landing is going on; otherwise stop the server, remove LAKE/rollups/officer_days_all and land anything: the table is made anew."
with united as (
    select
        event_date,
        level,
        set_union(officers) as officers
    from officer_days
    group by event_date, level
)

select
    cast(null as varchar) as org_id,
    concat(
        coalesce(united.event_date, whole.event_date),
        ' ',
        coalesce(united.level, whole.level)
    ) as object_id,
    set_count(whole.officers) as officers_of_all,
    set_count(united.officers) as officers_of_units,
    set_count(set_intersect(whole.officers, united.officers)) as officers_of_both
from united
full join officer_days_all as whole
    on
        united.event_date = whole.event_date
        and united.level = whole.level
where
    coalesce(set_count(united.officers), 0) <> coalesce(set_count(whole.officers), 0)
    or coalesce(set_count(united.officers), 0)
    <> coalesce(set_count(set_intersect(whole.officers, united.officers)), 0)
