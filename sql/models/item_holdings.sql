-- title_zh = "期末在册事项及其行使单位"
-- title_en = "Enforcement items in force on the last day of each period, for each scope that holds them"
-- kind = "view"
-- grain = ["scope_id", "period_start", "item_code"]
-- # The district holds every item of the register. Another scope holds what its units are registered as
-- # holders of (is_registered), and a 镇 or 街道 among them also what the list of its kind gives it.
-- # is_comprehensive: the registered holder is a team (支队) in force.
with last_days as (
    select
        period_start,
        period_end - 1 as last_day
    from periods
),

versions as (
    -- Where a new version was added and the old one not closed, the new one holds.
    select
        last_days.period_start,
        last_days.last_day,
        items.*,
        row_number() over (
            partition by last_days.period_start, items.item_code
            order by items.valid_from desc nulls last
        ) as place
    from last_days
    inner join items
        on
            (items.valid_from is null or items.valid_from <= last_days.last_day)
            and (items.valid_to is null or items.valid_to > last_days.last_day)
),

in_force as (
    select *
    from versions
    where place = 1
),

scopes_asked as (
    select distinct
        scope_id,
        period_start
    from scope_ends
),

orgs_in_force as (
    select distinct
        last_days.period_start,
        orgs.org_id,
        orgs.kind,
        orgs.town_type
    from last_days
    inner join orgs
        on
            (orgs.valid_from is null or orgs.valid_from <= last_days.last_day)
            and (orgs.valid_to is null or orgs.valid_to > last_days.last_day)
),

teams as (
    select distinct
        period_start,
        org_id
    from orgs_in_force
    where kind = 'team'
),

town_types as (
    select distinct
        scope_ends.scope_id,
        scope_ends.period_start,
        orgs_in_force.town_type
    from scope_ends
    inner join orgs_in_force
        on
            scope_ends.period_start = orgs_in_force.period_start
            and scope_ends.org_id = orgs_in_force.org_id
    where orgs_in_force.kind = 'town'
),

held as (
    select
        scopes_asked.scope_id,
        in_force.period_start,
        in_force.item_code,
        true as is_registered
    from scopes_asked
    inner join in_force on scopes_asked.period_start = in_force.period_start
    where scopes_asked.scope_id = 'district'
    union all
    select
        scope_ends.scope_id,
        in_force.period_start,
        in_force.item_code,
        true as is_registered
    from scope_ends
    inner join in_force
        on
            scope_ends.period_start = in_force.period_start
            and scope_ends.org_id = in_force.holder_id
    where scope_ends.scope_id <> 'district'
    union all
    select
        town_types.scope_id,
        in_force.period_start,
        in_force.item_code,
        false as is_registered
    from town_types
    inner join in_force on town_types.period_start = in_force.period_start
    where
        town_types.scope_id <> 'district'
        and (
            (town_types.town_type = '镇' and in_force.for_zhen)
            or (town_types.town_type = '街道' and in_force.for_jiedao)
        )
),

holdings as (
    select
        scope_id,
        period_start,
        item_code,
        bool_or(is_registered) as is_registered
    from held
    group by scope_id, period_start, item_code
)

select
    holdings.scope_id,
    holdings.period_start,
    holdings.item_code,
    in_force.last_day,
    in_force.name,
    in_force.domain,
    in_force.holder_id,
    holdings.is_registered,
    teams.org_id is not null as is_comprehensive,
    coalesce(in_force.for_zhen, false) as for_zhen,
    coalesce(in_force.for_jiedao, false) as for_jiedao
from holdings
inner join in_force
    on
        holdings.period_start = in_force.period_start
        and holdings.item_code = in_force.item_code
left join teams
    on
        in_force.period_start = teams.period_start
        and in_force.holder_id = teams.org_id
