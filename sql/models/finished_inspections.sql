-- title_zh = "期间内完成的检查与巡查"
-- title_en = "Inspections and patrols finished in each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start", "inspection_id"]
select
    scope_orgs.scope_id,
    period_days.period_start,
    inspections.*
from inspections
inner join period_days on inspections.finished_date = period_days.day
inner join scope_orgs
    on
        inspections.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where inspections.finished_date >= $from and inspections.finished_date < $to
