-- title_zh = "案卷评查合格率"
-- title_en = "Dossiers that pass"
-- group = "supervision"
-- indicator = 49
-- definition = "期间内评查的案卷（以最近一次评查为准）中，得分 60 分及以上（合格）或 90 分及以上（优秀）且无一票否决项者所占比例；没有得分的以等次为准。Of the dossiers last reviewed in the period, those with a score of at least 60 (pass) or 90 (excellent) and no veto item; one without a score goes by its grade."
-- source = "各地通行评查标准的分数线（一票否决项计0分），需与现行2017年标准核对；秀山2025年报告为96.2%。cut-offs of common local standards (a veto item gives 0), to be checked against the standard of 2017 in use; 秀山 reports 96.2 % (2025)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [parameters.grade]
-- values = ["pass", "excellent"]
-- default = "pass"
-- [prometheus]
-- name = "dossier_pass_ratio"
-- type = "gauge"
-- window = "year"
select
    choices.choice,
    scope_orgs.scope_id,
    period_days.period_start,
    dossiers.dossier_id,
    dossiers.org_id,
    dossiers.case_id,
    dossiers.reviewed_date,
    dossiers.score,
    dossiers.grade,
    dossiers.has_veto,
    case
        when dossiers.has_veto then false
        when $grade = 'excellent' then coalesce(dossiers.score >= 90, dossiers.grade = 'excellent', false)
        else coalesce(dossiers.score >= 60, dossiers.grade in ('excellent', 'qualified'), false)
    end as numerator
from choices
cross join dossiers
inner join period_days on dossiers.reviewed_date = period_days.day
inner join scope_orgs
    on
        dossiers.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
