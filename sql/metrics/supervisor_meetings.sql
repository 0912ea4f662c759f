-- title_zh = "特邀监督员例会次数"
-- title_en = "Meetings of special supervisors"
-- group = "supervision"
-- definition = "期间内召开的行政执法特邀监督员例会次数，按召集单位归集。Meetings of the special supervisors held in the period, by the unit that called them."
-- source = "2024年工作报告（第六届3次例会）。2024 report (3 meetings of the sixth term)"
-- unit = "meetings"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "supervisor_meetings_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    coalesce(acts.object_id, acts.event_id) as meeting_id,
    max(acts.org_id) as org_id,
    min(acts.event_date) as held_date
from acts
inner join period_days
    on
        acts.event_date = period_days.day
        and acts.event_date >= $from
        and acts.event_date < $to
inner join scope_orgs
    on
        acts.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where
    acts.event_type = 'meeting.held'
    and json_get_str(acts.attributes, 'kind') = 'special_supervisors'
group by
    scope_orgs.scope_id,
    period_days.period_start,
    coalesce(acts.object_id, acts.event_id)
