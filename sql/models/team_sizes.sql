-- title_zh = "区级设立的执法队伍数"
-- title_en = "Number of teams that the district itself established, on each day up to the end of the period on which it changed, and on the last"
-- kind = "view"
-- grain = ["scope_id", "period_start", "day"]
with district_teams as (
    select distinct
        scope_orgs.scope_id,
        orgs.org_id,
        coalesce(orgs.valid_from, date '1900-01-01') as valid_from,
        coalesce(orgs.valid_to, date '9999-12-31') as valid_to
    from orgs
    inner join scope_orgs on orgs.org_id = scope_orgs.org_id
    inner join scope_levels on scope_orgs.scope_id = scope_levels.scope_id
    where orgs.kind = 'team' and orgs.established_by = 'district'
),

asked as (
    select
        scope_levels.scope_id,
        periods.period_start,
        periods.period_end - 1 as last_day
    from scope_levels
    cross join periods
),

days as (
    -- The number of teams changes on these days only.
    select
        asked.scope_id,
        asked.period_start,
        asked.last_day,
        district_teams.valid_from as day
    from asked
    inner join district_teams
        on
            asked.scope_id = district_teams.scope_id
            and asked.last_day >= district_teams.valid_from
    union
    select
        scope_id,
        period_start,
        last_day,
        last_day as day
    from asked
)

select
    days.scope_id,
    days.period_start,
    days.last_day,
    days.day,
    count(distinct district_teams.org_id) as teams
from days
inner join district_teams
    on
        days.scope_id = district_teams.scope_id
        and days.day >= district_teams.valid_from
        and days.day < district_teams.valid_to
group by days.scope_id, days.period_start, days.last_day, days.day
