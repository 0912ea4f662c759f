-- title_zh = "期末范围内的单位"
-- title_en = "Units of each scope on the last day of each period"
-- kind = "view"
-- grain = ["scope_id", "org_id", "period_start"]
select
    scope_orgs.scope_id,
    scope_orgs.org_id,
    periods.period_start,
    periods.period_end - 1 as last_day
from periods
inner join scope_orgs
    on
        periods.period_end - 1 >= scope_orgs.valid_from
        and periods.period_end - 1 < scope_orgs.valid_to
