-- title_zh = "任职期在单位存续期内"
-- title_en = "Postings lie within the life of their unit"
-- definition = "执法人员任职不早于所在单位设立，也不晚于其撤销；单位已撤销而任职未结束即为违反。An officer's posting does not begin before its unit does nor go on after it has ended; an open posting in an ended unit is a violation."
-- source = "本系统定义。defined here"
-- severity = "finding"
-- remedy = "在 officers.csv 中结束该任职（valid_to），并在承接单位登记新任职。End the posting in officers.csv (valid_to) and register one in the unit that took over."
with lives as (
    select
        org_id,
        min(coalesce(valid_from, date '1900-01-01')) as life_from,
        max(coalesce(valid_to, date '9999-12-31')) as life_to
    from orgs
    group by org_id
)

select
    officers.org_id,
    cast(null as varchar) as object_id,
    officers.officer_id,
    officers.valid_from,
    officers.valid_to,
    lives.life_from as unit_from,
    lives.life_to as unit_to
from officers
inner join lives on officers.org_id = lives.org_id
where
    officers.valid_from < lives.life_from
    or coalesce(officers.valid_to, date '9999-12-31') > lives.life_to
