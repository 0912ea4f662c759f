-- title_zh = "社会评议"
-- title_en = "Social reviews of cases, one row each"
-- kind = "derived"
-- grain = ["review_id"]
-- # A review belongs to the unit of the case; without a known case to the unit that held it. Where a source
-- # does not count opinions, a review that has an opinion gives one, adopted or not as a whole.
with held as (
    select
        object_id,
        org_id,
        event_date,
        json_texts(
            attributes,
            'case_id', 'panel_size', 'opinion', 'opinions_given', 'opinions_adopted', 'adopted'
        ) as told
    from acts
    where event_type = 'social_review.held' and object_id is not null
),

grouped as (
    select
        object_id as review_id,
        max(org_id) as org_id,
        max(told['case_id']) as case_id,
        max(event_date) as held_date,
        max(try_cast(told['panel_size'] as bigint)) as panel_size,
        max(told['opinion']) as opinion,
        max(
            coalesce(
                try_cast(told['opinions_given'] as bigint),
                case when coalesce(told['opinion'], 'none') = 'none' then 0 else 1 end
            )
        ) as opinions_given,
        max(try_cast(told['opinions_adopted'] as bigint)) as opinions_adopted,
        coalesce(bool_or(told['adopted'] = 'true'), false) as is_adopted
    from held
    group by object_id
)

select
    grouped.review_id,
    coalesce(cases.org_id, grouped.org_id) as org_id,
    grouped.case_id,
    grouped.held_date,
    grouped.panel_size,
    grouped.opinion,
    grouped.opinions_given,
    -- More adopted than given is an error of entry; it must not hide that others were not adopted.
    least(
        coalesce(
            grouped.opinions_adopted,
            case when grouped.is_adopted then grouped.opinions_given else 0 end
        ),
        grouped.opinions_given
    ) as opinions_adopted
from grouped
left join cases on grouped.case_id = cases.case_id
