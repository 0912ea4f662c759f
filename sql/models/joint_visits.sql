-- title_zh = "联合检查的参与单位"
-- title_en = "How many units took part in each joint visit, of any scope, by the day of a part"
-- kind = "view"
-- grain = ["joint_task_id", "visited_party", "finished_date"]
-- # A joint visit is one joint task at one party. Its units end their part within days of each other:
-- # what is more than 31 days from a part belongs to no visit of its.
with parts as (
    select distinct
        joint_task_id,
        coalesce(party_id, '') as visited_party,
        org_id,
        finished_date
    from inspections
    where
        joint_task_id is not null
        and (kind is distinct from 'patrol')
        and finished_date >= cast($from as date) - 31
        and finished_date < cast($to as date) + 31
)

select
    parts.joint_task_id,
    parts.visited_party,
    parts.finished_date,
    count(distinct others.org_id) as orgs
from parts
inner join parts as others
    on
        parts.joint_task_id = others.joint_task_id
        and parts.visited_party = others.visited_party
        and parts.finished_date - 31 <= others.finished_date
        and parts.finished_date + 31 >= others.finished_date
group by parts.joint_task_id, parts.visited_party, parts.finished_date
