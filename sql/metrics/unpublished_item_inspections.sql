-- title_zh = "未公布事项检查数"
-- title_en = "Inspections on unpublished items"
-- group = "compliance"
-- definition = "期间内完成的检查中，所依据事项在完成之日不在已公布清单内的次数；没有填写事项的也计；不含日常巡查。Finished inspections whose item stood on no published list on the day they ended, or that name no item. Patrols are not included."
-- source = "国办发〔2024〕54号（未公布的检查事项不得实施）。国办发〔2024〕54号 (items not published must not be used)"
-- unit = "inspections"
-- kind = "count"
-- direction = "guardrail"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "unpublished_item_inspections"
-- type = "gauge"
-- window = "28d"
with published as (
    select
        item_code,
        district_id,
        coalesce(valid_from, date '1900-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from items
    where is_published
),

finished as (
    select
        finished_inspections.*,
        org_districts.district_id
    from finished_inspections
    left join org_districts
        on
            finished_inspections.org_id = org_districts.org_id
            and finished_inspections.finished_date >= org_districts.valid_from
            and finished_inspections.finished_date < org_districts.valid_to
    where (finished_inspections.kind is distinct from 'patrol')
)

select
    finished.scope_id,
    finished.period_start,
    finished.inspection_id,
    finished.org_id,
    finished.party_id,
    finished.item_code,
    finished.finished_date
from finished
left anti join published
    on
        finished.item_code = published.item_code
        and (published.district_id is null or published.district_id = finished.district_id)
        and finished.finished_date >= published.valid_from
        and finished.finished_date < published.valid_to
