-- title_zh = "检查-处罚关联率"
-- title_en = "Decisions linked to an inspection"
-- group = "case"
-- indicator = 46
-- definition = "期间内作出处罚决定的案件中，检查行为编号能对应到平台内一条检查或巡查记录者所占比例；来源为投诉、移送的案件也在分母内。Of the cases decided in the period, those whose inspection_id is that of an inspection or patrol on the platform; cases from complaints and transfers are in the denominator."
-- source = "国家“互联网+监管”处罚行为（检查行为编号为必填项）；公式由本系统定义。互联网+监管 处罚行为: 检查行为编号 is a required field; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "case_inspection_link_ratio"
-- type = "gauge"
-- window = "28d"
with decided as (
    -- Looked up before the scopes multiply the rows.
    select
        cases.case_id,
        cases.org_id,
        cases.party_id,
        cases.origin,
        cases.inspection_id,
        cases.decided_date,
        inspections.inspection_id is not null as is_linked
    from cases
    left join inspections on cases.inspection_id = inspections.inspection_id
    where cases.decided_date >= $from and cases.decided_date < $to
)

select
    scope_orgs.scope_id,
    period_days.period_start,
    decided.case_id,
    decided.org_id,
    decided.party_id,
    decided.origin,
    decided.inspection_id,
    decided.decided_date,
    decided.is_linked as numerator
from decided
inner join period_days on decided.decided_date = period_days.day
inner join scope_orgs
    on
        decided.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
