-- title_zh = "联合检查的参与单位"
-- title_en = "How many units took part in each joint visit, of any scope"
-- kind = "view"
-- grain = ["joint_task_id", "visited_party"]
-- # A joint visit is one joint task at one party. Its units end their part within days of each other:
-- # what is more than 31 days from the periods asked for belongs to no visit of theirs.
select
    joint_task_id,
    coalesce(party_id, '') as visited_party,
    count(distinct org_id) as orgs
from inspections
where
    joint_task_id is not null
    and (kind is distinct from 'patrol')
    and finished_date >= cast($from as date) - 31
    and finished_date < cast($to as date) + 31
group by joint_task_id, coalesce(party_id, '')
