-- title_zh = "事件在单位存续期内"
-- title_en = "Events lie within the life of their unit"
-- definition = "单位设立之前没有事件；撤销之后、且未登记承接单位的，也没有事件（有承接单位的过渡期内原单位可继续履职）。A unit has no event before it began, and none after it ended unless a successor is registered: during a transition the old unit still acts."
-- source = "本系统定义。defined here"
-- severity = "finding"
-- remedy = "在 orgs.csv 中更正有效期或登记承接单位（successor_id）；编码用错的以更高 revision 更正。Correct the dates of the unit or register its successor in orgs.csv; correct a wrong code with a higher revision."
with lives as (
    select
        org_id,
        min(coalesce(valid_from, date '1900-01-01')) as life_from,
        max(coalesce(valid_to, date '9999-12-31')) as life_to,
        max(successor_id) as successor_id
    from orgs
    group by org_id
)

select
    org_days.org_id,
    cast(null as varchar) as object_id,
    sum(org_days.events) as events,
    min(org_days.event_date) as first_date,
    max(org_days.event_date) as last_date,
    lives.life_from as unit_from,
    lives.life_to as unit_to
from org_days
inner join lives on org_days.org_id = lives.org_id
where
    org_days.event_date < lives.life_from
    or (org_days.event_date >= lives.life_to and lives.successor_id is null)
group by org_days.org_id, lives.life_from, lives.life_to
