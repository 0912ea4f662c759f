-- title_zh = "评查案卷数"
-- title_en = "Dossiers reviewed"
-- group = "supervision"
-- indicator = 49
-- definition = "期间内评查的案卷数（以最近一次评查为准），按办案单位归集。Dossiers last reviewed in the period, by the unit of the case."
-- source = "本系统定义。defined here"
-- unit = "dossiers"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "dossiers_reviewed_total"
-- type = "counter"
-- window = "all"
select
    scope_orgs.scope_id,
    period_days.period_start,
    dossiers.dossier_id,
    dossiers.org_id,
    dossiers.case_id,
    dossiers.reviewed_date,
    dossiers.standard
from dossiers
inner join period_days on dossiers.reviewed_date = period_days.day
inner join scope_orgs
    on
        dossiers.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
