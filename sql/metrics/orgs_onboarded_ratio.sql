-- title_zh = "单位入驻率"
-- title_en = "Units onboarded"
-- group = "usage"
-- indicator = 1
-- definition = "执法主体名录内的单位中，期末至少有一个已开通账号者所占比例。Units on the list of enforcement subjects with at least one bound account at the end of the period."
-- source = "2024年工作报告（58家中58家）。2024 report (58 of 58)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [prometheus]
-- name = "orgs_onboarded_ratio"
-- type = "gauge"
-- window = "now"
with onboarded as (
    select
        periods.period_start,
        officers.org_id,
        min(officers.onboarded_on) as onboarded_on
    from periods
    inner join officers
        on
            officers.onboarded_on < periods.period_end
            and (officers.valid_from is null or officers.valid_from < periods.period_end)
            and (officers.valid_to is null or officers.valid_to >= periods.period_end)
    group by periods.period_start, officers.org_id
),

subjects as (
    -- A unit of which two versions hold on the day is one unit.
    select distinct
        scope_ends.scope_id,
        scope_ends.period_start,
        scope_ends.org_id
    from scope_ends
    inner join orgs
        on
            scope_ends.org_id = orgs.org_id
            and (orgs.valid_from is null or orgs.valid_from <= scope_ends.last_day)
            and (orgs.valid_to is null or orgs.valid_to > scope_ends.last_day)
    where orgs.is_subject
)

select
    subjects.scope_id,
    subjects.period_start,
    subjects.org_id,
    onboarded.onboarded_on,
    onboarded.org_id is not null as numerator
from subjects
left join onboarded
    on
        subjects.period_start = onboarded.period_start
        and subjects.org_id = onboarded.org_id
