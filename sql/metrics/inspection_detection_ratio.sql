-- title_zh = "检查发现问题率"
-- title_en = "Inspection detection ratio"
-- definition = "完成的检查中发现问题者所占比例；未能入户、停业的不计。Finished inspections that found a problem, of all but those without entry."
-- source = "national indicator of 2025 (规范涉企行政执法专项行动); exclusion as in Chicago food inspections"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "inspection_detection_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_orgs.scope_id,
    period_days.period_start,
    count(*) filter (where inspections.result <> 'no_problem') as numerator,
    count(*) as denominator
from inspections
inner join period_days on inspections.finished_date = period_days.day
inner join scope_orgs
    on
        inspections.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where
    (inspections.kind is distinct from 'patrol')
    and (inspections.result is distinct from 'no_entry')
group by scope_orgs.scope_id, period_days.period_start
