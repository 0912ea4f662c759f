-- title_zh = "期末在办案件"
-- title_en = "Cases open on the last day of each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start", "case_id"]
select
    scope_ends.scope_id,
    scope_ends.period_start,
    scope_ends.last_day,
    cases.*
from cases
inner join scope_ends
    on
        cases.org_id = scope_ends.org_id
        and cases.filed_date <= scope_ends.last_day
where
    cases.filed_date < $to
    and (cases.ended_date is null or cases.ended_date > scope_ends.last_day)
