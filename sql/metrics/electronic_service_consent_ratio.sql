-- title_zh = "电子送达同意率"
-- title_en = "Electronic service with consent"
-- group = "compliance"
-- definition = "期间内以电子方式送达的处罚决定书中，有当事人签订的确认书者所占比例。Of the decisions served electronically in the period, those with the consent that the party signed."
-- source = "《行政处罚法》第六十一条第二款。行政处罚法 art. 61(2)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "electronic_service_consent_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_orgs.scope_id,
    period_days.period_start,
    cases.case_id,
    cases.org_id,
    cases.party_id,
    cases.served_date,
    coalesce(cases.has_consent, false) as numerator
from cases
inner join period_days
    on
        cases.served_date = period_days.day
        and cases.served_date >= $from
        and cases.served_date < $to
inner join scope_orgs
    on
        cases.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where cases.served_method = 'electronic'
