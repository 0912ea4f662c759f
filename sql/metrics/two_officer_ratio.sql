-- title_zh = "双人执法率"
-- title_en = "Two officer ratio"
-- group = "compliance"
-- indicator = 35
-- definition = "期间内完成的检查和作出决定的案件中，当日持有效执法证的执法人员不少于两人者所占比例。检查按完成之日，案件按决定之日、以参与过任一环节的人员计；注销执法证者自注销之日起不计；不含日常巡查。Finished inspections and decided cases with at least two officers whose certificate was valid on the day: the day an inspection ended, or a case was decided, counting everyone who took part in any of its steps. A certificate does not count from the day of its revocation on. Patrols are not included."
-- source = "《行政处罚法》第四十二条。行政处罚法 art. 42"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [parameters.act]
-- values = ["all", "inspection", "case"]
-- default = "all"
-- [prometheus]
-- name = "two_officer_ratio"
-- type = "gauge"
-- window = "28d"
select
    choices.choice,
    certified_acts.scope_id,
    certified_acts.period_start,
    certified_acts.act,
    certified_acts.act_id,
    certified_acts.org_id,
    certified_acts.day,
    certified_acts.officers,
    certified_acts.certified_officers,
    certified_acts.certified_officers >= 2 as numerator
from choices
cross join certified_acts
where $act = 'all' or certified_acts.act = $act
