-- title_zh = "注销执法证件数"
-- title_en = "Certificates revoked"
-- group = "usage"
-- indicator = 51
-- definition = "期间内注销的执法证件数，可按原因；在册与被注销人员合计不足 5 人的单位不予显示。Certificates revoked in the period, by reason; withheld where the roster and those who lost theirs are fewer than 5 persons together."
-- source = "2024年工作报告（注销44件）。2024 report (44 cancelled)"
-- unit = "certificates"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- suppress_below = 5
-- [parameters.reason]
-- values = ["all", "not_trained", "exam_failed", "left_post"]
-- default = "all"
-- [prometheus]
-- name = "certificates_revoked_total"
-- type = "counter"
-- window = "all"
with revocations as (
    select
        choices.choice,
        scope_orgs.scope_id,
        period_days.period_start,
        acts.event_id,
        acts.object_id,
        acts.officer_ids
    from choices
    cross join acts
    inner join period_days
        on
            acts.event_date = period_days.day
            and acts.event_date >= $from
            and acts.event_date < $to
    inner join scope_orgs
        on
            acts.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where
        acts.event_type = 'certificate.revoked'
        and ($reason = 'all' or json_get_str(acts.attributes, 'reason') = $reason)
),

revoked as (
    select
        choice,
        scope_id,
        period_start,
        count(distinct coalesce(object_id, event_id)) as certificates
    from revocations
    group by choice, scope_id, period_start
),

revoked_ids as (
    select
        choice,
        scope_id,
        period_start,
        unnest(officer_ids) as officer_id
    from revocations
),

persons as (
    select
        choice,
        scope_id,
        period_start,
        set_union(officers) as officers
    from (
        select
            choices.choice,
            roster.scope_id,
            roster.period_start,
            roster.officers
        from choices
        cross join roster
        union all
        select
            revoked_ids.choice,
            revoked_ids.scope_id,
            revoked_ids.period_start,
            set_of(officer_numbers.officer_no) as officers
        from revoked_ids
        inner join officer_numbers on revoked_ids.officer_id = officer_numbers.officer_id
        group by revoked_ids.choice, revoked_ids.scope_id, revoked_ids.period_start
    ) as known
    group by choice, scope_id, period_start
)

select
    persons.choice,
    persons.scope_id,
    persons.period_start,
    coalesce(revoked.certificates, 0) as value,
    set_count(persons.officers) as denominator
from persons
left join revoked
    on
        persons.choice = revoked.choice
        and persons.scope_id = revoked.scope_id
        and persons.period_start = revoked.period_start
-- rows
select
    scope_orgs.scope_id,
    period_days.period_start,
    acts.org_id,
    acts.event_date as revoked_on,
    json_get_str(acts.attributes, 'reason') as reason,
    acts.officer_ids
from acts
inner join period_days
    on
        acts.event_date = period_days.day
        and acts.event_date >= $from
        and acts.event_date < $to
inner join scope_orgs
    on
        acts.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where
    acts.event_type = 'certificate.revoked'
    and ($reason = 'all' or json_get_str(acts.attributes, 'reason') = $reason)
