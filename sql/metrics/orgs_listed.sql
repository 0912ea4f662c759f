-- title_zh = "在册单位数"
-- title_en = "Units in force"
-- group = "reform"
-- definition = "期末在册的单位数：镇街、部门、支队，或区级设立的支队。Units in force at the end of the period: 镇街, departments, teams, or the teams that the district established."
-- source = "2024年工作报告（22个镇街、36个部门、7支支队，其中区级5支）。2024 report (22 镇街, 36 部门, 7 支队 of which 5 of the district)"
-- unit = "units"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [parameters.kind]
-- values = ["town", "department", "team", "team_district"]
-- default = "town"
-- [prometheus]
-- name = "orgs_listed"
-- type = "gauge"
-- window = "now"
select
    choices.choice,
    scope_ends.scope_id,
    scope_ends.period_start,
    scope_ends.org_id,
    max(orgs.name) as name,
    max(orgs.valid_from) as valid_from
from choices
cross join scope_ends
inner join orgs
    on
        scope_ends.org_id = orgs.org_id
        and (orgs.valid_from is null or orgs.valid_from <= scope_ends.last_day)
        and (orgs.valid_to is null or orgs.valid_to > scope_ends.last_day)
where
    case $kind
        when 'team_district' then orgs.kind = 'team' and orgs.established_by = 'district'
        else orgs.kind = $kind
    end
group by choices.choice, scope_ends.scope_id, scope_ends.period_start, scope_ends.org_id
