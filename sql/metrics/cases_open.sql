-- title_zh = "在办案件存量"
-- title_en = "Open cases"
-- group = "case"
-- indicator = 24
-- definition = "期末已立案而未结案、未撤案的案件数，可按案龄（立案至期末的自然日数；期末在今天之后的，至今天）分段。Cases filed and neither closed nor withdrawn by the end of the period, all of them or by age: calendar days from filing to the end of the period, or to today if that is earlier."
-- source = "分段依据《行政处罚法》第六十条（90日）；计数规则由本系统定义。行政处罚法 art. 60 (90 days) for the bands; counting rule defined here"
-- unit = "cases"
-- kind = "count"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- additive = true
-- [parameters.age]
-- values = ["all", "0-30", "31-60", "61-90", "over-90"]
-- default = "all"
-- [prometheus]
-- name = "cases_open"
-- type = "gauge"
-- window = "now"
with spans as (
    -- The days, counted since 1970, on which a case is open and of that age.
    select
        choices.choice,
        cases.org_id,
        cast(cases.filed_date as int)
        + case $age when '31-60' then 31 when '61-90' then 61 when 'over-90' then 91 else 0 end
            as first_day,
        least(
            cast(cases.ended_date as int),
            cast(cases.filed_date as int)
            + case $age when '0-30' then 31 when '31-60' then 61 when '61-90' then 91 end
        ) as day_after
    from choices
    cross join cases
    where
        cases.filed_date is not null
        and (cases.ended_date is null or cases.ended_date > least($from, $as_of))
),

changes as (
    select
        choice,
        org_id,
        first_day as day,
        1 as change
    from spans
    where day_after is null or day_after > first_day
    union all
    select
        choice,
        org_id,
        day_after as day,
        -1 as change
    from spans
    where day_after > first_day
),

daily as (
    select
        choice,
        org_id,
        day,
        sum(change) as change
    from changes
    group by choice, org_id, day
),

-- Summed per unit before the scopes multiply the rows.
at_ends as (
    select
        periods.period_start,
        periods.period_end,
        daily.choice,
        daily.org_id,
        sum(daily.change) as open_cases
    from periods
    inner join daily
        on cast(least(periods.period_end - 1, $as_of) as int) >= daily.day
    group by periods.period_start, periods.period_end, daily.choice, daily.org_id
)

select
    at_ends.choice,
    scope_orgs.scope_id,
    at_ends.period_start,
    sum(at_ends.open_cases) as value
from at_ends
inner join scope_orgs
    on
        at_ends.org_id = scope_orgs.org_id
        and at_ends.period_end > scope_orgs.valid_from
        and at_ends.period_end <= scope_orgs.valid_to
group by at_ends.choice, scope_orgs.scope_id, at_ends.period_start
-- rows
with aged as (
    select
        scope_id,
        period_start,
        case_id,
        org_id,
        party_id,
        item_code,
        filed_date,
        least(last_day, $as_of) - filed_date as age_days
    from open_cases
)

select *
from aged
where
    age_days between
    case $age when '31-60' then 31 when '61-90' then 61 when 'over-90' then 91 else 0 end
    and case $age when '0-30' then 30 when '31-60' then 60 when '61-90' then 90 else 1000000 end
