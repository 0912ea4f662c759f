-- title_zh = "队伍精简率"
-- title_en = "Reduction of teams"
-- group = "reform"
-- indicator = 42
-- definition = "区级设立的综合行政执法队伍数，期末较此前最多时减少的比例；市级规定设立的支队不计。仅全区。By how much the number of teams that the district itself established lies, at the end of the period, below the highest that it ever was up to then; teams that the city prescribes do not count. Whole district only."
-- source = "2024 report (12 to 5, 58.33 %); the reading of \"before\" as the highest number is defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "team_reduction_ratio"
-- type = "gauge"
-- window = "now"
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
),

sizes as (
    select
        days.period_start,
        days.last_day,
        days.day,
        count(distinct district_teams.org_id) as teams
    from days
    inner join district_teams
        on
            days.day >= district_teams.valid_from
            and days.day < district_teams.valid_to
    group by days.period_start, days.last_day, days.day
)

select
    asked.scope_id,
    asked.period_start,
    max(sizes.teams) - coalesce(max(sizes.teams) filter (where sizes.day = sizes.last_day), 0) as numerator,
    max(sizes.teams) as denominator
from asked
inner join sizes on asked.period_start = sizes.period_start
group by asked.scope_id, asked.period_start
-- rows
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
),

sizes as (
    select
        days.period_start,
        days.last_day,
        days.day,
        count(distinct district_teams.org_id) as teams
    from days
    inner join district_teams
        on
            days.day >= district_teams.valid_from
            and days.day < district_teams.valid_to
    group by days.period_start, days.last_day, days.day
),

largest as (
    select
        period_start,
        day,
        row_number() over (partition by period_start order by teams desc, day desc) as place
    from sizes
)

select distinct
    asked.scope_id,
    asked.period_start,
    orgs.org_id,
    orgs.name,
    orgs.valid_from,
    orgs.valid_to,
    largest.day as day_of_most,
    orgs.valid_to is null or orgs.valid_to > asked.last_day as is_in_force
from asked
inner join largest on asked.period_start = largest.period_start and largest.place = 1
inner join orgs
    on
        orgs.kind = 'team'
        and orgs.established_by = 'district'
        and (orgs.valid_from is null or orgs.valid_from <= asked.last_day)
