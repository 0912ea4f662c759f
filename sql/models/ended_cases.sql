-- title_zh = "期间内结案或撤案的案件"
-- title_en = "Cases closed or withdrawn in each period, per scope"
-- kind = "view"
-- grain = ["scope_id", "period_start", "case_id"]
select
    scope_orgs.scope_id,
    period_days.period_start,
    cases.*
from cases
inner join period_days on cases.ended_date = period_days.day
inner join scope_orgs
    on
        cases.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where cases.ended_date >= $from and cases.ended_date < $to
