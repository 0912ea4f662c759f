-- title_zh = "分信用等级检查强度"
-- title_en = "Inspection intensity by credit class"
-- group = "inspection"
-- definition = "期间内对某信用等级企业完成的检查户次，除以期末名录中该等级的企业数；等级按检查当日。分母为全部名录内企业，不分单位。联合检查计一次；含未能入户的，不含日常巡查。Finished inspection visits of firms of the credit class (on the day of the visit) per firm of that class in the register on the last day of the period. The denominator is the whole register at every scope. A joint visit counts once; visits without entry are included, patrols are not."
-- source = "按信用等级监管（2025年目标监管精细化）；公式由本系统定义。supervision by credit class (监管精细化 of the 2025 goals); formula defined here"
-- unit = "visits per firm"
-- kind = "ratio"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [parameters.credit_class]
-- values = ["A", "B", "C", "D"]
-- default = "A"
-- [prometheus]
-- name = "inspections_by_credit"
-- type = "gauge"
-- window = "year"
with classes as (
    select
        choices.choice,
        parties.party_id,
        coalesce(parties.district_id, '') as district_id,
        parties.valid_from,
        parties.valid_to
    from choices
    inner join parties on parties.kind = 'firm' and parties.credit_class = $credit_class
),

district_firms as (
    select
        classes.choice,
        classes.district_id,
        periods.period_start,
        count(distinct classes.party_id) as firms
    from periods
    inner join classes
        on
            (classes.valid_from is null or classes.valid_from < periods.period_end)
            and (classes.valid_to is null or classes.valid_to >= periods.period_end)
    group by classes.choice, classes.district_id, periods.period_start
),

firms as (
    select
        district_firms.choice,
        scope_parties.scope_id,
        district_firms.period_start,
        sum(district_firms.firms) as firms
    from district_firms
    inner join scope_parties on district_firms.district_id = scope_parties.district_id
    group by district_firms.choice, scope_parties.scope_id, district_firms.period_start
),

found as (
    select
        classes.choice,
        visits.scope_id,
        visits.period_start,
        count(*) as visits
    from classes
    inner join visits
        on
            classes.party_id = visits.party_id
            and (classes.valid_from is null or classes.valid_from <= visits.finished_date)
            and (classes.valid_to is null or classes.valid_to > visits.finished_date)
    inner join scope_parties
        on
            visits.scope_id = scope_parties.scope_id
            and classes.district_id = scope_parties.district_id
    group by classes.choice, visits.scope_id, visits.period_start
)

select
    firms.choice,
    firms.scope_id,
    firms.period_start,
    coalesce(found.visits, 0) as numerator,
    firms.firms as denominator
from firms
left join found
    on
        firms.scope_id = found.scope_id
        and firms.choice = found.choice
        and firms.period_start = found.period_start
-- rows
select distinct
    visits.scope_id,
    visits.period_start,
    visits.inspection_id,
    visits.joint_task_id,
    visits.org_id,
    visits.party_id,
    $credit_class as credit_class,
    visits.finished_date
from visits
inner join parties
    on
        visits.party_id = parties.party_id
        and parties.kind = 'firm'
        and parties.credit_class = $credit_class
        and (parties.valid_from is null or parties.valid_from <= visits.finished_date)
        and (parties.valid_to is null or parties.valid_to > visits.finished_date)
inner join scope_parties
    on
        visits.scope_id = scope_parties.scope_id
        and coalesce(parties.district_id, '') = scope_parties.district_id
