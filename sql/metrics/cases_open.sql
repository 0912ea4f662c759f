-- title_zh = "在办案件存量"
-- title_en = "Open cases"
-- definition = "期末已立案而未结案、未撤案的案件数。Cases filed and neither closed nor withdrawn by the end of the period."
-- source = "defined here"
-- unit = "cases"
-- kind = "count"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "cases_open"
-- type = "gauge"
-- window = "now"
with changes as (
    select
        org_id,
        filed_date as day,
        1 as change
    from cases
    where filed_date is not null
    union all
    select
        org_id,
        ended_date as day,
        -1 as change
    from cases
    where filed_date is not null and ended_date is not null
),

daily as (
    select
        org_id,
        day,
        sum(change) as change
    from changes
    group by org_id, day
)

select
    scope_orgs.scope_id,
    periods.period_start,
    sum(daily.change) as value
from periods
inner join daily on periods.period_end > daily.day
inner join scope_orgs
    on
        daily.org_id = scope_orgs.org_id
        and periods.period_end > scope_orgs.valid_from
        and periods.period_end <= scope_orgs.valid_to
group by scope_orgs.scope_id, periods.period_start
