-- title_zh = "年度频次超限"
-- title_en = "Frequency cap breaches"
-- group = "inspection"
-- indicator = 37
-- definition = "期间内有检查超过年度频次上限的（企业，单位）对数：自当年 1 月 1 日起，该单位对该企业在事项所属领域的检查次数超过 inspection_caps 中该领域、该风险等级的上限（没有该领域的上限时用 * 的）。一次联合检查对每个单位计一次；上级部署的专项、未能入户的和日常巡查不计；企业无风险等级或无上限的不计；全域与本区都公布上限的，从严。(Firm, unit) pairs with an inspection in the period that exceeded the annual cap: inspections of the firm by the unit since 1 January in the domain of the item, against the cap of inspection_caps for the domain (else that of *) and the firm's risk tier on the day. A joint visit counts once for each unit; inspections ordered from above, those without entry and patrols are left out, and so are firms without a tier or cap; of a cap for all districts and one of the unit's own the stricter holds. A pair counts once in each calendar year."
-- source = "国办发〔2024〕54号及司法部问题解答；公式由本系统定义。国办发〔2024〕54号 and the 问题解答 of the Ministry of Justice; formula defined here"
-- unit = "pairs"
-- kind = "count"
-- direction = "guardrail"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [prometheus]
-- name = "frequency_cap_breaches"
-- type = "gauge"
-- window = "year"
with checks as (
    select
        coalesce(joint_task_id, inspection_id) as visit_id,
        org_id,
        party_id,
        item_code,
        finished_date,
        extract(year from finished_date) as year
    from inspections
    where
        finished_date >= cast(date_trunc('year', cast($from as date)) as date)
        and finished_date < $to
        and party_kind = 'firm'
        and not is_ordered_from_above
        and (kind is distinct from 'patrol')
        and (result is distinct from 'no_entry')
),

frequent as (
    select
        org_id,
        party_id
    from checks
    group by org_id, party_id
    having count(*) > (select min(max_per_year) from inspection_caps)
),

described as (
    select
        checks.visit_id,
        checks.org_id,
        checks.party_id,
        checks.finished_date,
        checks.year,
        org_districts.district_id,
        parties.risk_tier,
        coalesce(items.domain, '*') as domain
    from checks
    inner join frequent
        on
            checks.org_id = frequent.org_id
            and checks.party_id = frequent.party_id
    inner join parties
        on
            checks.party_id = parties.party_id
            and parties.risk_tier is not null
            and (parties.valid_from is null or parties.valid_from <= checks.finished_date)
            and (parties.valid_to is null or parties.valid_to > checks.finished_date)
    left join org_districts
        on
            checks.org_id = org_districts.org_id
            and checks.finished_date >= org_districts.valid_from
            and checks.finished_date < org_districts.valid_to
    left join items
        on
            checks.item_code = items.item_code
            and (items.district_id is null or items.district_id = org_districts.district_id)
            and (items.valid_from is null or items.valid_from <= checks.finished_date)
            and (items.valid_to is null or items.valid_to > checks.finished_date)
),

numbered as (
    -- A visit that has several items of a domain is one.
    select
        org_id,
        party_id,
        domain,
        district_id,
        risk_tier,
        year,
        finished_date,
        dense_rank() over (
            partition by org_id, party_id, domain, year
            order by finished_date, visit_id
        ) as visit_no
    from described
),

caps as (
    select
        domain,
        district_id,
        risk_tier,
        max_per_year,
        coalesce(valid_from, date '1900-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from inspection_caps
),

capped as (
    select
        numbered.org_id,
        numbered.party_id,
        numbered.domain,
        numbered.year,
        numbered.finished_date,
        numbered.visit_no,
        coalesce(own.max_per_year, common.max_per_year) as max_per_year
    from numbered
    left join caps as own
        on
            numbered.domain = own.domain
            and (own.district_id is null or own.district_id = numbered.district_id)
            and numbered.risk_tier = own.risk_tier
            and numbered.finished_date >= own.valid_from
            and numbered.finished_date < own.valid_to
    left join caps as common
        on
            common.domain = '*'
            and (common.district_id is null or common.district_id = numbered.district_id)
            and numbered.risk_tier = common.risk_tier
            and numbered.finished_date >= common.valid_from
            and numbered.finished_date < common.valid_to
)

select
    scope_orgs.scope_id,
    period_days.period_start,
    capped.party_id,
    capped.org_id,
    capped.year,
    max(capped.visit_no) as inspections_of_the_year,
    min(capped.max_per_year) as max_per_year,
    max(capped.finished_date) as last_inspection
from capped
inner join period_days on capped.finished_date = period_days.day
inner join scope_orgs
    on
        capped.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where capped.finished_date >= $from and capped.visit_no > capped.max_per_year
group by
    scope_orgs.scope_id,
    period_days.period_start,
    capped.party_id,
    capped.org_id,
    capped.year
