-- title_zh = "数据归集率"
-- title_en = "Data collected of data declared"
-- group = "data"
-- indicator = 43
-- definition = "单位申报的记录数中，实际归集到的比例，可按类别（检查、立案、巡查）；只计整月落在期间内的申报；多归集的部分不抵补其他月份、类别或单位的缺口。Of the records that units declare, those that arrived, by kind (inspections finished, cases filed, patrols); declarations that lie wholly within the period count, and what arrives beyond one does not make up for the gap of another."
-- source = "2024年工作报告所列问题（数据归集体量小）；公式由本系统定义。complaint of the 2024 report (数据归集体量小); formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [thresholds]
-- warn = 0.95
-- source = "本系统定义（collection_gap：实收低于应收的95%）。defined here (DOMAIN: collection_gap, received of expected below 95 %)"
-- [parameters.kind]
-- values = ["all", "inspection", "case", "patrol"]
-- default = "all"
-- [prometheus]
-- name = "data_collection_ratio"
-- type = "gauge"
-- window = "year"
with declared as (
    select distinct
        choices.choice,
        periods.period_start,
        declarations.org_id,
        declarations.kind,
        declarations.period_start as declared_from,
        declarations.period_end as declared_to,
        declarations.records
    from choices
    cross join periods
    inner join declarations
        on
            declarations.period_start >= periods.period_start
            and declarations.period_end <= periods.period_end
    where $kind = 'all' or declarations.kind = $kind
),

landed as (
    select
        org_id,
        case when kind = 'patrol' then 'patrol' else 'inspection' end as kind,
        finished_date as day
    from inspections
    where finished_date >= $from and finished_date < $to
    union all
    select
        org_id,
        'case' as kind,
        filed_date as day
    from cases
    where filed_date >= $from and filed_date < $to
),

arrived_days as (
    select
        org_id,
        kind,
        day,
        count(*) as records
    from landed
    group by org_id, kind, day
),

arrived as (
    select
        declared.choice,
        declared.period_start,
        declared.org_id,
        declared.kind,
        declared.declared_from,
        sum(arrived_days.records) as records
    from declared
    inner join arrived_days
        on
            declared.org_id = arrived_days.org_id
            and declared.kind = arrived_days.kind
            and arrived_days.day >= declared.declared_from
            and arrived_days.day < declared.declared_to
    group by
        declared.choice,
        declared.period_start,
        declared.org_id,
        declared.kind,
        declared.declared_from
)

select
    declared.choice,
    scope_orgs.scope_id,
    declared.period_start,
    declared.org_id,
    declared.kind,
    declared.declared_from,
    coalesce(arrived.records, 0) as arrived,
    least(coalesce(arrived.records, 0), declared.records) as numerator,
    declared.records as denominator
from declared
-- A unit that left a scope in the middle belongs where it was on the last day of the declaration.
inner join scope_orgs
    on
        declared.org_id = scope_orgs.org_id
        and declared.declared_to - 1 >= scope_orgs.valid_from
        and declared.declared_to - 1 < scope_orgs.valid_to
left join arrived
    on
        declared.choice = arrived.choice
        and declared.period_start = arrived.period_start
        and declared.org_id = arrived.org_id
        and declared.kind = arrived.kind
        and declared.declared_from = arrived.declared_from
