-- title_zh = "简易程序处罚不超限"
-- title_en = "Decisions on the spot keep within their ceiling"
-- definition = "适用简易程序的案件，只处警告或罚款，对公民罚款不超过二百元，对法人或其他组织不超过三千元；相对人性质不明的按三千元。A case of the simple procedure decides a warning or a fine only, of at most 200 yuan for a person and 3000 yuan for an organisation; 3000 where the kind of party is not known."
-- source = "《行政处罚法》第五十一条。行政处罚法 art. 51"
-- severity = "finding"
-- remedy = "程序或金额录入有误的以更高 revision 更正；确超限的，应撤销并按普通程序办理。Correct a wrong procedure or amount with a higher revision; a decision above the ceiling has to be annulled and the case taken through the ordinary procedure."
with party_kinds as (
    select
        party_id,
        max(kind) as kind
    from parties
    group by party_id
),

simple_cases as (
    select
        cases.case_id,
        cases.org_id,
        cases.fine_fen,
        cases.confiscated_fen,
        cases.penalty_types,
        cases.decided_date,
        coalesce(cases.party_kind, party_kinds.kind) as party_kind
    from cases
    left join party_kinds on cases.party_id = party_kinds.party_id
    where cases.procedure = 'simple' and cases.decided_date is not null
)

select
    org_id,
    case_id as object_id,
    party_kind,
    penalty_types,
    fine_fen,
    confiscated_fen,
    decided_date
from simple_cases
where
    fine_fen > case party_kind when 'person' then 20000 else 300000 end
    or confiscated_fen > 0
    or regexp_replace(penalty_types, '"(警告|罚款)"|[\[\], ]', '', 'g') <> ''
