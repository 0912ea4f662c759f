-- title_zh = "单位入驻率"
-- title_en = "Units onboarded"
-- definition = "执法主体名录内的单位中，期末至少有一个已开通账号者所占比例。Units on the list of enforcement subjects with at least one bound account at the end of the period."
-- source = "2024 report (58 of 58)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "orgs_onboarded_ratio"
-- type = "gauge"
-- window = "now"
with subjects as (
    select distinct
        periods.period_start,
        periods.period_end,
        orgs.org_id
    from periods
    inner join orgs
        on
            orgs.is_subject
            and (orgs.valid_from is null or orgs.valid_from < periods.period_end)
            and (orgs.valid_to is null or orgs.valid_to >= periods.period_end)
),

onboarded as (
    select distinct
        periods.period_start,
        officers.org_id
    from periods
    inner join officers
        on
            officers.onboarded_on < periods.period_end
            and (officers.valid_from is null or officers.valid_from < periods.period_end)
            and (officers.valid_to is null or officers.valid_to >= periods.period_end)
)

select
    scope_orgs.scope_id,
    subjects.period_start,
    count(onboarded.org_id) as numerator,
    count(*) as denominator
from subjects
left join onboarded
    on
        subjects.period_start = onboarded.period_start
        and subjects.org_id = onboarded.org_id
inner join scope_orgs
    on
        subjects.org_id = scope_orgs.org_id
        and subjects.period_end > scope_orgs.valid_from
        and subjects.period_end <= scope_orgs.valid_to
group by scope_orgs.scope_id, subjects.period_start
