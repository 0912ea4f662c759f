-- title_zh = "时限起算日期缺失率"
-- title_en = "Clocks without a start"
-- group = "compliance"
-- definition = "期间内起算，或者没有起算日期而在期间内完成的法定时限事项中，没有起算日期者所占比例；all 为约束执法单位的全部时限。缺失起算日期是质量问题，不能视为合规。Of the clocks that started in the period, or stopped in it without a start, those without a start; `all` are those that bind the units. A missing start is a failure of quality, never compliance."
-- source = "本系统定义（《行政处罚法》第六十条需要立案日期，而国家接口中可以为空）。defined here (filed_date may be empty in the national feed although 行政处罚法 art. 60 needs it)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- [parameters.clock]
-- values = ["all", "case_decision", "case_service", "case_publication", "credit_upload", "evidence_decision", "hearing_notice", "cash_hand_in", "retraction", "measure_duration", "measure_report", "court_application", "licence_decision", "licence_delivery", "licence_publication", "spot_check_publication", "complaint_handling", "opinion_reply", "hearing_request", "fine_payment", "rectification"]
-- default = "all"
-- [prometheus]
-- name = "clock_start_missing_ratio"
-- type = "gauge"
-- window = "none"
with begun as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        clocks.*
    from clocks
    inner join period_days on coalesce(clocks.start_date, clocks.stop_date) = period_days.day
    inner join scope_orgs
        on
            clocks.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where
        coalesce(clocks.start_date, clocks.stop_date) >= $from
        and coalesce(clocks.start_date, clocks.stop_date) < $to
)

select
    choices.choice,
    begun.scope_id,
    begun.period_start,
    begun.clock,
    begun.object_id,
    begun.org_id,
    begun.party_id,
    begun.start_date,
    begun.stop_date,
    begun.start_date is null as numerator
from choices
cross join begun
where begun.clock = $clock or ($clock = 'all' and begun.rule <> 'party')
