-- title_zh = "未公布事项检查数"
-- title_en = "Inspections on unpublished items"
-- group = "compliance"
-- definition = "期间内完成的检查中，所依据事项在完成之日不在已公布清单内的次数；没有填写事项的也计；不含日常巡查。Finished inspections whose item stood on no published list on the day they ended, or that name no item. Patrols are not included."
-- source = "国办发〔2024〕54号 (items not published must not be used)"
-- unit = "inspections"
-- kind = "count"
-- direction = "guardrail"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [prometheus]
-- name = "unpublished_item_inspections"
-- type = "gauge"
-- window = "28d"
with published as (
    select
        item_code,
        coalesce(valid_from, date '1900-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from items
    where is_published
)

select
    finished_inspections.scope_id,
    finished_inspections.period_start,
    finished_inspections.inspection_id,
    finished_inspections.org_id,
    finished_inspections.party_id,
    finished_inspections.item_code,
    finished_inspections.finished_date
from finished_inspections
left join published
    on
        finished_inspections.item_code = published.item_code
        and finished_inspections.finished_date >= published.valid_from
        and finished_inspections.finished_date < published.valid_to
where published.item_code is null and (finished_inspections.kind is distinct from 'patrol')
