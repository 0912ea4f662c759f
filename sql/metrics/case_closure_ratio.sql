-- title_zh = "案件办结率"
-- title_en = "Case closure ratio"
-- definition = "期间内立案的案件（同批次），立案后 90 日内结案者所占比例；未满 90 日的案件暂不计入。Of the cases filed in the period, those closed within 90 days of filing; cases younger than 90 days do not count yet."
-- source = "defined here, on 行政处罚法 art. 60"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "case_closure_ratio"
-- type = "gauge"
-- window = "none"
select
    scope_orgs.scope_id,
    period_days.period_start,
    count(*) filter (where cases.closed_date <= cases.filed_date + interval '90' day) as numerator,
    count(*) as denominator
from cases
inner join period_days on cases.filed_date = period_days.day
inner join scope_orgs
    on
        cases.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where cases.filed_date + interval '90' day < $as_of
group by scope_orgs.scope_id, period_days.period_start
