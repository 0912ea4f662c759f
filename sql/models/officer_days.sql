-- title_zh = "执法人员日活跃集合"
-- title_en = "Officers active per local day, unit and level, as exact sets"
-- kind = "rollup"
-- grain = ["event_date", "org_id", "level"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
with participations as (
    select
        event_month,
        event_date,
        org_id,
        event_type,
        unnest(officer_ids) as officer_id
    from events
),

levels as (
    select
        event_type,
        case activity_level when 1 then 'L1' else 'L2' end as level
    from event_types
    where activity_level > 0
)

select
    participations.event_date,
    participations.org_id,
    levels.level,
    set_of(officer_numbers.officer_no) as officers,
    participations.event_month
from participations
inner join levels on participations.event_type = levels.event_type
inner join officer_numbers on participations.officer_id = officer_numbers.officer_id
group by
    participations.event_month,
    participations.event_date,
    participations.org_id,
    levels.level
