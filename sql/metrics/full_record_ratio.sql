-- title_zh = "全过程记录率"
-- title_en = "Cases with a full record"
-- group = "compliance"
-- indicator = 32
-- definition = "期间内结案的普通程序案件中，启动、调查取证、审核、决定、送达、执行六个环节都有文书者所占比例；当场处罚没有审核环节，撤案不算结案，均不计。Of the ordinary cases closed in the period, those with a document of each of the six stages: start, evidence, review, decision, service, enforcement. On-the-spot decisions have no review and withdrawals are no closings: neither is in it."
-- source = "《行政处罚法》第四十七条；国办发〔2018〕118号；各环节权重相同、只计普通程序案件，为本系统选定。行政处罚法 art. 47; 国办发〔2018〕118号; equal weight of the stages, and ordinary cases only, chosen here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "full_record_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    closed_date,
    recorded_stages,
    coalesce(recorded_stages >= 6, false) as numerator
from ended_cases
where withdrawn_date is null and (procedure is distinct from 'simple')
