-- title_zh = "办案天数（立案至决定）"
-- title_en = "Days from filing to decision"
-- group = "case"
-- indicator = 22
-- definition = "期间内作出决定的案件，从立案到决定的自然日数：平均数、中位数或九成分位（线性内插）；普通程序与简易程序分别计算，没有立案日期的不计。Calendar days from filing to decision of the cases decided in the period: mean, median or 90th percentile (interpolated), of the ordinary or the simple procedure; cases without a filing date are not in it."
-- source = "《行政处罚法》第六十条（90个自然日）。行政处罚法 art. 60 (90 calendar days)"
-- unit = "days"
-- kind = "gauge"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [parameters.statistic]
-- values = ["median", "mean", "p90"]
-- default = "median"
-- [parameters.procedure]
-- values = ["ordinary", "simple"]
-- default = "ordinary"
-- [prometheus]
-- name = "case_days_to_decision"
-- type = "gauge"
-- window = "28d"
with decided as (
    select
        choices.choice,
        $statistic as statistic,
        decided_cases.scope_id,
        decided_cases.period_start,
        cast(decided_cases.decided_date - decided_cases.filed_date as double) as days
    from choices
    cross join decided_cases
    where
        decided_cases.filed_date is not null
        and case when decided_cases.procedure = 'simple' then 'simple' else 'ordinary' end = $procedure
)

select
    choice,
    scope_id,
    period_start,
    case statistic
        when 'mean' then avg(days)
        when 'median' then percentile_cont(0.5) within group (order by days)
        else percentile_cont(0.9) within group (order by days)
    end as value,
    count(*) as denominator
from decided
group by choice, statistic, scope_id, period_start
-- rows
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    procedure,
    filed_date,
    decided_date,
    decided_date - filed_date as days
from decided_cases
where
    filed_date is not null
    and case when procedure = 'simple' then 'simple' else 'ordinary' end = $procedure
