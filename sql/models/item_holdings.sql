-- title_zh = "期末在册事项及其行使单位"
-- title_en = "Enforcement items in force on the last day of each period, for each scope that holds them"
-- kind = "view"
-- grain = ["scope_id", "period_start", "item_code"]
-- # The district holds every item of the register; of several districts each holds those of its own list (district_id)
-- # and those that are for all. Another scope holds what its units are registered as
-- # holders of (is_registered), and a 镇 or 街道 among them also what the list of its kind gives it.
-- # is_comprehensive: the registered holder is a team (支队) in force. An item that stands on the lists of several
-- # districts is one for the scope above them.
with last_days as (
    select
        period_start,
        period_end - 1 as last_day
    from periods
),

listed as (
    select
        *,
        min(coalesce(valid_from, date '1900-01-01')) over (
            partition by item_code, district_id
        ) as listed_on
    from items
),

versions as (
    -- Where a new version was added and the old one not closed, the new one holds.
    select
        last_days.period_start,
        last_days.last_day,
        listed.*,
        row_number() over (
            partition by last_days.period_start, listed.item_code, listed.district_id
            order by listed.valid_from desc nulls last
        ) as place
    from last_days
    inner join listed
        on
            (listed.valid_from is null or listed.valid_from <= last_days.last_day)
            and (listed.valid_to is null or listed.valid_to > last_days.last_day)
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

in_force as (
    select
        versions.period_start,
        versions.last_day,
        versions.item_code,
        versions.district_id,
        versions.name,
        versions.domain,
        versions.holder_id,
        versions.listed_on,
        teams.org_id is not null as is_comprehensive,
        coalesce(versions.for_zhen, false) as for_zhen,
        coalesce(versions.for_jiedao, false) as for_jiedao
    from versions
    left join teams
        on
            versions.period_start = teams.period_start
            and versions.holder_id = teams.org_id
    where versions.place = 1
),

levels as (
    select
        scope_levels.scope_id,
        last_days.period_start,
        scope_levels.is_whole
    from scope_levels
    cross join last_days
),

town_types as (
    select distinct
        scope_ends.scope_id,
        scope_ends.period_start,
        orgs_in_force.town_type,
        org_districts.district_id
    from scope_ends
    inner join orgs_in_force
        on
            scope_ends.period_start = orgs_in_force.period_start
            and scope_ends.org_id = orgs_in_force.org_id
    left join org_districts
        on
            scope_ends.org_id = org_districts.org_id
            and scope_ends.last_day >= org_districts.valid_from
            and scope_ends.last_day < org_districts.valid_to
    where
        orgs_in_force.kind = 'town'
        and scope_ends.scope_id not in (select scope_id from scope_levels)
),

held as (
    select
        levels.scope_id,
        in_force.*,
        true as is_registered
    from levels
    inner join in_force on levels.period_start = in_force.period_start
    where levels.is_whole or in_force.district_id is null
    union all
    select
        levels.scope_id,
        in_force.*,
        true as is_registered
    from levels
    inner join scope_ends
        on
            levels.scope_id = scope_ends.scope_id
            and levels.period_start = scope_ends.period_start
    inner join in_force
        on
            scope_ends.period_start = in_force.period_start
            and scope_ends.org_id = in_force.district_id
    where not levels.is_whole
    union all
    select
        scope_ends.scope_id,
        in_force.*,
        true as is_registered
    from scope_ends
    inner join in_force
        on
            scope_ends.period_start = in_force.period_start
            and scope_ends.org_id = in_force.holder_id
    where scope_ends.scope_id not in (select scope_id from scope_levels)
    union all
    select
        town_types.scope_id,
        in_force.*,
        false as is_registered
    from town_types
    inner join in_force on town_types.period_start = in_force.period_start
    where
        (in_force.district_id is null or in_force.district_id = town_types.district_id)
        and (
            (town_types.town_type = '镇' and in_force.for_zhen)
            or (town_types.town_type = '街道' and in_force.for_jiedao)
        )
)

select
    scope_id,
    period_start,
    item_code,
    max(last_day) as last_day,
    max(name) as name,
    max(domain) as domain,
    max(holder_id) as holder_id,
    min(listed_on) as listed_on,
    bool_or(is_registered) as is_registered,
    bool_or(is_comprehensive) as is_comprehensive,
    bool_or(for_zhen) as for_zhen,
    bool_or(for_jiedao) as for_jiedao
from held
group by scope_id, period_start, item_code
