-- title_zh = "抽查结果公示率"
-- title_en = "Double random results published"
-- group = "compliance"
-- indicator = 17
-- definition = "期间内完成的双随机抽查中，自完成之日起 20 个工作日内公示结果者所占比例。未公示且期限未过的暂不计；期限落入无工作日历年度的不计。Double random inspections finished in the period whose result was published within 20 working days of the day they ended. Unpublished ones whose limit has not passed do not count yet; a limit that runs into a year without a calendar is unknown and does not count."
-- source = "20个工作日：国办发〔2018〕118号所指其他执法行为，同河北省规定。20 working days: other acts under 国办发〔2018〕118号, as in a rule of Hebei"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "double_random_published_ratio"
-- type = "gauge"
-- window = "year"
with random_plans as (
    select distinct plan_id
    from plans
    where kind = 'double_random'
),

due_days as (
    select
        day,
        due_working_days(day, 20) as due_date
    from (select distinct day from period_days) as days
),

spot_checks as (
    select
        finished_inspections.scope_id,
        finished_inspections.period_start,
        finished_inspections.inspection_id,
        finished_inspections.org_id,
        finished_inspections.party_id,
        finished_inspections.finished_date,
        finished_inspections.published_date,
        due_days.due_date
    from finished_inspections
    inner join due_days on finished_inspections.finished_date = due_days.day
    left join random_plans on finished_inspections.plan_id = random_plans.plan_id
    where
        (finished_inspections.is_double_random or random_plans.plan_id is not null)
        and (finished_inspections.kind is distinct from 'patrol')
)

select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    party_id,
    finished_date,
    due_date,
    published_date,
    coalesce(published_date <= due_date, false) as numerator
from spot_checks
where due_date is not null and (published_date is not null or due_date < $as_of)
