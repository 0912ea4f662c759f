-- title_zh = "法定时限达标率"
-- title_en = "Statutory limits kept"
-- group = "compliance"
-- definition = "法定（或者依法确定的）期限在期间内届满的事项中，按期完成者所占比例；all 为约束执法单位的全部时限，当事人的期限（缴款、整改、申请听证）只单独计算。听证通知按听证日期归入期间，须提前 7 个工作日。没有起算日期而已完成的按完成日期计入分母，不计入分子；期限未到而未完成的、期限落在没有工作日历年份的不计。Of the statutory limits (or those set under a statute) that ended in the period, those kept; `all` are the limits that bind the units, and those of parties (payment, rectification, request for a hearing) are only given by themselves. Notice of a hearing belongs to the day of the hearing. What was done without a date of start stays in the denominator only, by the day it was done; limits still running, and those in a year without a calendar, are not in it."
-- source = "各时限的法律条文见 clock_rules。law and article of each clock: clock_rules"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [parameters.clock]
-- values = ["all", "case_decision", "case_service", "case_publication", "credit_upload", "evidence_decision", "hearing_notice", "cash_hand_in", "retraction", "measure_duration", "measure_report", "court_application", "licence_decision", "licence_delivery", "licence_publication", "spot_check_publication", "complaint_handling", "opinion_reply", "hearing_request", "fine_payment", "rectification"]
-- default = "all"
-- [prometheus]
-- name = "clock_met_ratio"
-- type = "gauge"
-- window = "none"
with judged as (
    select
        *,
        case
            when start_date is null or rule = 'at_least' then stop_date
            else due_date
        end as day
    from clocks
    where is_met is not null and (stop_date is not null or due_date < $as_of)
),

ended as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        judged.*
    from judged
    inner join period_days on judged.day = period_days.day
    inner join scope_orgs
        on
            judged.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
)

select
    choices.choice,
    ended.scope_id,
    ended.period_start,
    ended.clock,
    ended.object_id,
    ended.org_id,
    ended.party_id,
    ended.start_date,
    ended.due_date,
    ended.stop_date,
    ended.is_met as numerator
from choices
cross join ended
where ended.clock = $clock or ($clock = 'all' and ended.rule <> 'party')
