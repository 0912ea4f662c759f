-- title_zh = "一事不二罚"
-- title_en = "One act is fined once"
-- definition = "同一次检查发现的同一相对人、同一事项的违法行为，只有一件案件处以罚款；决定已变更或撤销的案件不计。没有检查编号或事项的案件无从判断。Of the cases about one party, one item and one inspection only one imposes a fine; cases whose decision was changed or annulled do not count, and a case without inspection or item cannot be judged."
-- source = "《行政处罚法》第二十九条。行政处罚法 art. 29"
-- severity = "finding"
-- remedy = "核对是否同一违法行为：重复录入的撤回其一，重复罚款的依法撤销。Find out whether it was one act: withdraw a case that was entered twice, annul a second fine."
with fined as (
    select
        case_id,
        org_id,
        party_id,
        item_code,
        inspection_id,
        fine_fen,
        decided_date
    from cases
    where
        fine_fen > 0
        and decided_date is not null
        and withdrawn_date is null
        and changed_date is null
        and party_id is not null
        and item_code is not null
        and inspection_id is not null
),

repeated as (
    select
        party_id,
        item_code,
        inspection_id,
        count(*) as fines
    from fined
    group by party_id, item_code, inspection_id
    having count(*) > 1
)

select
    fined.org_id,
    fined.case_id as object_id,
    fined.inspection_id,
    fined.item_code,
    fined.party_id,
    fined.fine_fen,
    fined.decided_date,
    repeated.fines
from fined
inner join repeated
    on
        fined.party_id = repeated.party_id
        and fined.item_code = repeated.item_code
        and fined.inspection_id = repeated.inspection_id
