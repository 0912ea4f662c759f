-- title_zh = "罚没金额（按处罚决定）"
-- title_en = "Fines and confiscations decided"
-- group = "case"
-- definition = "期间内处罚决定书载明的罚款、没收金额（元），或两者之和；没收价值不明的不计；以决定日期为准。不排名、不考核。Amounts of the decisions of the period in yuan: fines, confiscations or both; goods of unknown value are not in it; by decision date. Never ranked and never a target."
-- source = "statistics rules of the yearly enforcement report (amount of the decision); 行政处罚法 art. 74"
-- unit = "CNY"
-- kind = "count"
-- direction = "guardrail"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [parameters.kind]
-- values = ["fines", "confiscated", "both"]
-- default = "fines"
-- [prometheus]
-- name = "fines_decided"
-- type = "gauge"
-- window = "none"
select
    scope_id,
    period_start,
    case_id,
    org_id,
    party_id,
    decided_date,
    fine_fen,
    confiscated_fen,
    case $kind
        when 'fines' then coalesce(fine_fen, 0)
        when 'confiscated' then coalesce(confiscated_fen, 0)
        else coalesce(fine_fen, 0) + coalesce(confiscated_fen, 0)
    end / 100.0 as value
from decided_cases
where
    case $kind
        when 'fines' then fine_fen > 0
        when 'confiscated' then confiscated_fen > 0
        else fine_fen > 0 or confiscated_fen > 0
    end
