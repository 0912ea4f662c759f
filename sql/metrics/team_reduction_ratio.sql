-- title_zh = "队伍精简率"
-- title_en = "Reduction of teams"
-- group = "reform"
-- indicator = 42
-- definition = "区级设立的综合行政执法队伍数，期末较此前最多时减少的比例；市级规定设立的支队不计。仅全区。By how much the number of teams that the district itself established lies, at the end of the period, below the highest that it ever was up to then; teams that the city prescribes do not count. Whole district only."
-- source = "2024年工作报告（由12支减为5支，58.33%）；以此前最高数作为“改革前”为本系统定义。2024 report (12 to 5, 58.33 %); the reading of \"before\" as the highest number is defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "team_reduction_ratio"
-- type = "gauge"
-- window = "now"
select
    scope_id,
    period_start,
    max(teams) - coalesce(max(teams) filter (where day = last_day), 0) as numerator,
    max(teams) as denominator
from team_sizes
group by scope_id, period_start
-- rows
with ordered as (
    select
        scope_id,
        period_start,
        last_day,
        day,
        row_number() over (
            partition by scope_id, period_start
            order by teams desc, day desc
        ) as place
    from team_sizes
)

select distinct
    ordered.scope_id,
    ordered.period_start,
    orgs.org_id,
    orgs.name,
    orgs.valid_from,
    orgs.valid_to,
    ordered.day as day_of_most,
    orgs.valid_to is null or orgs.valid_to > ordered.last_day as is_in_force
from ordered
inner join scope_orgs on ordered.scope_id = scope_orgs.scope_id
inner join orgs
    on
        scope_orgs.org_id = orgs.org_id
        and orgs.kind = 'team'
        and orgs.established_by = 'district'
        and (orgs.valid_from is null or orgs.valid_from <= ordered.last_day)
where ordered.place = 1
