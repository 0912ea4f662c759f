-- title_zh = "办案天数（立案至决定）"
-- title_en = "Days from filing to decision"
-- definition = "期间内作出决定的普通程序案件，从立案到决定的自然日数：中位数或九成分位（线性内插）。Calendar days from filing to decision of the cases decided in the period, ordinary procedure; median or 90th percentile, interpolated."
-- source = "行政处罚法 art. 60 (90 calendar days)"
-- unit = "days"
-- kind = "gauge"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [parameters.statistic]
-- values = ["median", "p90"]
-- default = "median"
-- [prometheus]
-- name = "case_days_to_decision"
-- type = "gauge"
-- window = "28d"
with decided as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        cast(cast(cases.decided_date as int) - cast(cases.filed_date as int) as double) as days
    from cases
    inner join period_days on cases.decided_date = period_days.day
    inner join scope_orgs
        on
            cases.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where cases.filed_date is not null and (cases.procedure is distinct from 'simple')
)

select
    scope_id,
    period_start,
    case $statistic
        when 'median' then percentile_cont(0.5) within group (order by days)
        else percentile_cont(0.9) within group (order by days)
    end as value,
    count(*) as denominator
from decided
group by scope_id, period_start
