-- title_zh = "简易程序超限额处罚数"
-- title_en = "On-the-spot fines above the ceiling"
-- group = "compliance"
-- definition = "期间内适用简易程序而罚款超过限额的处罚决定数：公民 200 元，法人或者其他组织 3000 元；当事人种类不明的按 3000 元。Decisions of the simple procedure in the period with a fine above the ceiling: 200 yuan for a person, 3000 yuan for an organisation, and for a party of unknown kind."
-- source = "《行政处罚法》第五十一条。行政处罚法 art. 51"
-- unit = "cases"
-- kind = "count"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "simple_procedure_ceiling_breaches"
-- type = "gauge"
-- window = "year"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    party_kind,
    decided_date,
    fine_fen
from decided_cases
where
    procedure = 'simple'
    and fine_fen > case when party_kind = 'person' then 20000 else 300000 end
