-- title_zh = "行政处罚决定数（按处罚种类）"
-- title_en = "Penalty decisions by type"
-- group = "case"
-- definition = "期间内作出处罚决定的案件数，按年报口径：一案有多种处罚的只计一次，计入其中最重的一种；没收违法所得与没收非法财物、责令关闭与限制从业各为一类；“其他”让位于任何有名称的种类；以决定日期为准，其后被撤销的也计入。Cases decided in the period as the yearly statistics count them: once, under the heaviest type; confiscations are one class, closure and a ban from the trade are another; other types yield to named ones; by decision date, also when annulled later."
-- source = "行政执法年度报告统计口径；种类依据《行政处罚法》第九条，顺序见 penalty_types。statistics rules of the yearly enforcement report (年报); types: 行政处罚法 art. 9; order: penalty_types"
-- unit = "cases"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [parameters.penalty_type]
-- values = ["all", "警告", "通报批评", "罚款", "没收", "暂扣许可证件", "降低资质等级", "限制开展生产经营活动", "责令停产停业", "责令关闭、限制从业", "吊销许可证件", "行政拘留", "其他"]
-- default = "all"
-- [prometheus]
-- name = "penalty_decisions"
-- type = "gauge"
-- window = "none"
with written_types as (
    select distinct penalty_types
    from cases
    where decided_date is not null
),

heaviest as (
    -- No name of a type is part of another's, so that a search in the list of types is enough.
    select
        written_types.penalty_types,
        max(penalty_types.severity) as severity
    from written_types
    inner join penalty_types
        on strpos(written_types.penalty_types, penalty_types.penalty_type) > 0
    group by written_types.penalty_types
),

wanted as (
    select
        choices.choice,
        $penalty_type as asked,
        max(penalty_types.severity) as severity
    from choices
    left join penalty_types
        on
            case $penalty_type
                when '没收' then '没收违法所得'
                when '责令关闭、限制从业' then '责令关闭'
                else $penalty_type
            end = penalty_types.penalty_type
    group by choices.choice, $penalty_type
)

select
    wanted.choice,
    decided_cases.scope_id,
    decided_cases.period_start,
    decided_cases.case_id,
    decided_cases.org_id,
    decided_cases.party_id,
    decided_cases.decided_date,
    decided_cases.penalty_types
from wanted
cross join decided_cases
left join heaviest on decided_cases.penalty_types = heaviest.penalty_types
where
    wanted.asked = 'all'
    or coalesce(heaviest.severity, 0) = wanted.severity
