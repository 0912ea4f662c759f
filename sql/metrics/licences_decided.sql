-- title_zh = "许可决定数"
-- title_en = "Licences decided"
-- group = "case"
-- definition = "期间内作出的许可决定数，全部或者准予、不予许可。Licence decisions of the period: all, granted or refused."
-- source = "行政执法年度报告统计口径；《行政许可法》第三十八条。statistics rules of the yearly enforcement report; 行政许可法 art. 38"
-- unit = "licences"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [parameters.decision]
-- values = ["all", "granted", "refused"]
-- default = "all"
-- [prometheus]
-- name = "licences_decided"
-- type = "gauge"
-- window = "none"
select
    choices.choice,
    scope_orgs.scope_id,
    period_days.period_start,
    licences.licence_id,
    licences.org_id,
    licences.decision,
    licences.accepted_date,
    licences.decided_date
from choices
cross join licences
inner join period_days on licences.decided_date = period_days.day
inner join scope_orgs
    on
        licences.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where $decision = 'all' or licences.decision = $decision
