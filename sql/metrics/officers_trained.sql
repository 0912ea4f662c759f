-- title_zh = "参训执法人员数"
-- title_en = "Officers trained"
-- group = "usage"
-- indicator = 50
-- definition = "期间内至少完成一次培训的不同执法人员数；在册与参训合计不足 5 人的单位不予显示。Distinct officers who completed at least one course in the period; withheld where the roster and those trained are fewer than 5 persons together. Distinct counts do not add up over units."
-- source = "2024年工作报告（全员轮训1600余人）；计数规则由本系统定义。2024 report (1600余 in 全员轮训); counting rule defined here"
-- unit = "officers"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [prometheus]
-- name = "officers_trained"
-- type = "gauge"
-- window = "year"
with trained as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        set_of(officer_numbers.officer_no) as officers
    from trainings
    inner join period_days on trainings.event_date = period_days.day
    inner join scope_orgs
        on
            trainings.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    inner join officer_numbers on trainings.officer_id = officer_numbers.officer_id
    group by scope_orgs.scope_id, period_days.period_start
),

persons as (
    select
        scope_id,
        period_start,
        officers,
        true as is_trained
    from trained
    union all
    select
        scope_id,
        period_start,
        officers,
        false as is_trained
    from roster
)

select
    scope_id,
    period_start,
    set_count(set_union(officers) filter (where is_trained)) as value,
    set_count(set_union(officers)) as denominator
from persons
group by scope_id, period_start
-- rows
select
    scope_orgs.scope_id,
    period_days.period_start,
    trainings.officer_id,
    max(trainings.event_date) as last_trained_on,
    count(*) as courses,
    sum(trainings.hours) as hours
from trainings
inner join period_days on trainings.event_date = period_days.day
inner join scope_orgs
    on
        trainings.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
group by scope_orgs.scope_id, period_days.period_start, trainings.officer_id
