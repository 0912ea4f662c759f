-- title_zh = "区级设立的执法队伍数"
-- title_en = "Number of teams that the district itself established, on each day up to the end of the period on which it changed, and on the last"
-- kind = "view"
-- grain = ["scope_id", "period_start", "day"]
with district_teams as (
    select distinct
        org_id,
        coalesce(valid_from, date '1900-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from orgs
    where kind = 'team' and established_by = 'district'
),

asked as (
    select distinct
        scope_id,
        period_start,
        last_day
    from scope_ends
    where scope_id = 'district'
),

days as (
    -- The number of teams changes on these days only.
    select
        asked.period_start,
        asked.last_day,
        district_teams.valid_from as day
    from asked
    inner join district_teams on asked.last_day >= district_teams.valid_from
    union
    select
        period_start,
        last_day,
        last_day as day
    from asked
)

select
    asked.scope_id,
    days.period_start,
    days.last_day,
    days.day,
    count(distinct district_teams.org_id) as teams
from days
inner join asked on days.period_start = asked.period_start
inner join district_teams
    on
        days.day >= district_teams.valid_from
        and days.day < district_teams.valid_to
group by asked.scope_id, days.period_start, days.last_day, days.day
