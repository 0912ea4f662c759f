-- title_zh = "范围内的单位日"
-- title_en = "Units of each scope on each day of each period"
-- kind = "view"
-- grain = ["scope_id", "org_id", "period_start", "day"]
select
    scope_orgs.scope_id,
    scope_orgs.org_id,
    period_days.period_start,
    period_days.day
from period_days
inner join scope_orgs
    on period_days.day >= scope_orgs.valid_from and period_days.day < scope_orgs.valid_to
