-- title_zh = "罚没金额（按处罚决定）"
-- title_en = "Fines and confiscations decided"
-- group = "case"
-- definition = "期间内处罚决定书载明的罚款、没收金额（元），或两者之和；没收价值不明的不计；以决定日期为准。不排名、不考核。Amounts of the decisions of the period in yuan: fines, confiscations or both; goods of unknown value are not in it; by decision date. Never ranked and never a target."
-- source = "行政执法年度报告统计口径（按决定书金额）；《行政处罚法》第七十四条。statistics rules of the yearly enforcement report (amount of the decision); 行政处罚法 art. 74"
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
    choices.choice,
    decided_cases.scope_id,
    decided_cases.period_start,
    decided_cases.case_id,
    decided_cases.org_id,
    decided_cases.party_id,
    decided_cases.decided_date,
    decided_cases.fine_fen,
    decided_cases.confiscated_fen,
    case $kind
        when 'fines' then coalesce(decided_cases.fine_fen, 0)
        when 'confiscated' then coalesce(decided_cases.confiscated_fen, 0)
        else coalesce(decided_cases.fine_fen, 0) + coalesce(decided_cases.confiscated_fen, 0)
    end / 100.0 as value
from choices
cross join decided_cases
where
    case $kind
        when 'fines' then decided_cases.fine_fen > 0
        when 'confiscated' then decided_cases.confiscated_fen > 0
        else decided_cases.fine_fen > 0 or decided_cases.confiscated_fen > 0
    end
