-- title_zh = "实质业务记录"
-- title_en = "Substantive records (level-2 events) of each period, per scope, unit and event type"
-- kind = "view"
-- grain = ["scope_id", "period_start", "org_id", "event_type"]
select
    scope_orgs.scope_id,
    period_days.period_start,
    org_days.org_id,
    org_days.event_type,
    sum(org_days.events) as records
from org_days
inner join event_types
    on org_days.event_type = event_types.event_type and event_types.activity_level = 2
inner join period_days
    on
        org_days.event_date = period_days.day
        and org_days.event_date >= $from
        and org_days.event_date < $to
inner join scope_orgs
    on
        org_days.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
group by
    scope_orgs.scope_id,
    period_days.period_start,
    org_days.org_id,
    org_days.event_type
