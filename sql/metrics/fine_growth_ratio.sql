-- title_zh = "罚没收入同比增幅"
-- title_en = "Growth of fines and confiscations on the year before"
-- group = "case"
-- indicator = 54
-- definition = "期间内处罚决定的罚没金额（罚款与没收之和）与上年同期之差，除以上年同期；未满的期间只与上年同期已过的部分比较。增幅达 20% 预警，只用于提醒监督人员。Fines and confiscations decided in the period less those of the same period a year before, over the latter; an unfinished period is compared with as much of the year before. A warning from 20 %, for supervisors; never a target."
-- source = "2025年规范涉企行政执法专项行动（预警值20%）；《行政处罚法》第七十四条；按决定书金额计为本系统选定。规范涉企行政执法专项行动 2025 (warning value 20 %); 行政处罚法 art. 74; amounts by decision chosen here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "guardrail"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [thresholds]
-- warn = 0.2
-- source = "规范涉企行政执法专项行动 2025"
-- [prometheus]
-- name = "fine_growth_ratio"
-- type = "gauge"
-- window = "year"
with decided as (
    select
        case_id,
        org_id,
        party_id,
        decided_date,
        (coalesce(fine_fen, 0) + coalesce(confiscated_fen, 0)) / 100.0 as amount
    from cases
    where decided_date is not null and (fine_fen > 0 or confiscated_fen > 0)
),

compared as (
    select
        *,
        decided_date as day,
        amount as growth,
        0.0 as base
    from decided
    union all
    select
        *,
        decided_date + interval '1 year' as day,
        -amount as growth,
        amount as base
    from decided
)

select
    scope_orgs.scope_id,
    period_days.period_start,
    compared.case_id,
    compared.org_id,
    compared.party_id,
    compared.decided_date,
    compared.growth as numerator,
    compared.base as denominator
from compared
inner join period_days on compared.day = period_days.day
inner join scope_orgs
    on
        compared.org_id = scope_orgs.org_id
        and compared.decided_date >= scope_orgs.valid_from
        and compared.decided_date < scope_orgs.valid_to
where compared.day <= $as_of
