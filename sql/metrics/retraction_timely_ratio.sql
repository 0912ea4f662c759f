-- title_zh = "撤销信息撤回及时率"
-- title_en = "Changed decisions retracted in time"
-- group = "compliance"
-- indicator = 30
-- definition = "已公示而在期间内被变更、撤销的处罚决定中，3 个工作日内撤回公示信息者所占比例。期限未到而未撤回的暂不计入，没有变更日期的计入分母而不计入分子，期限落在没有工作日历年份的不计。Of the published decisions changed or annulled in the period, those whose publication was retracted within 3 working days. Those still within the limit do not count yet; one without a date of the change stays in the denominator only, and a limit in a year without a calendar is unknown and not in it."
-- source = "行政处罚法 art. 48, 85"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- rows = true
-- [prometheus]
-- name = "retraction_timely_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_orgs.scope_id,
    period_days.period_start,
    clocks.object_id as case_id,
    clocks.org_id,
    clocks.party_id,
    clocks.start_date as changed_date,
    clocks.due_date,
    clocks.stop_date as retracted_date,
    clocks.is_met as numerator
from clocks
inner join period_days on coalesce(clocks.start_date, clocks.stop_date) = period_days.day
inner join scope_orgs
    on
        clocks.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where
    clocks.clock = 'retraction'
    and coalesce(clocks.start_date, clocks.stop_date) >= $from
    and coalesce(clocks.start_date, clocks.stop_date) < $to
    and (
        clocks.start_date is null
        or (clocks.due_date is not null and clocks.stop_date is not null)
        or clocks.due_date < $as_of
    )
