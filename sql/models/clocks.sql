-- title_zh = "法定时限"
-- title_en = "Statutory clocks that started, one row each; or that stopped and have no start"
-- kind = "view"
-- grain = ["clock", "object_id"]
-- # due_date: the last lawful day, or for the rule at_least the first one. NULL is unknown: a year
-- #   without a calendar, or no start. A measure imposed in an emergency is due for report in 24 hours:
-- #   its due_date is the next day, its is_met counts the hours.
-- # is_met: stopped in time. A clock without a start, or that stopped before its start, never is: no date
-- #   shows that the limit was kept. NULL where the due date is unknown for want of a calendar.
-- # rule: at_most and at_least bind the unit; party is a period of the other side.
with item_domains as (
    select
        item_code,
        last_value(domain order by coalesce(valid_from, date '1900-01-01')) as domain
    from items
    group by item_code
),

item_limits as (
    select
        item_domains.item_code,
        case_limits.base_days,
        case_limits.extension_days,
        case_limits.excludes_hearing,
        case_limits.excludes_appraisal
    from item_domains
    inner join case_limits on item_domains.domain = case_limits.domain
),

decisions as (
    -- A withdrawal, or a closing without a decision, ends the clock too.
    select
        cases.case_id,
        cases.org_id,
        cases.party_id,
        cases.filed_date,
        coalesce(cases.decided_date, cases.ended_date) as stop_date,
        coalesce(item_limits.base_days, other_limits.base_days) as base_days,
        least(
            coalesce(cases.extended_days, 0),
            coalesce(item_limits.extension_days, other_limits.extension_days, 0)
        ) as extension_days,
        case
            when coalesce(item_limits.excludes_appraisal, other_limits.excludes_appraisal)
                then cases.appraisal_started_date
        end as appraisal_start,
        cases.appraisal_ended_date,
        case
            when coalesce(item_limits.excludes_hearing, other_limits.excludes_hearing)
                then coalesce(cases.hearing_requested_date, cases.hearing_notified_date)
        end as hearing_start,
        cases.hearing_held_date
    from cases
    left join item_limits on cases.item_code = item_limits.item_code
    left join case_limits as other_limits on other_limits.domain = '*'
    where cases.procedure is distinct from 'simple'
),

stages as (
    -- Begin in days since filing, and length. A stage that has not ended lasts until today, or no time
    -- at all once the case is decided.
    select
        *,
        appraisal_start - filed_date as appraisal_from,
        hearing_start - filed_date as hearing_from,
        greatest(
            coalesce(
                appraisal_ended_date,
                case when stop_date is null then $as_of end,
                appraisal_start
            ) - appraisal_start,
            0
        ) as appraisal_length,
        greatest(
            coalesce(
                hearing_held_date,
                case when stop_date is null then $as_of end,
                hearing_start
            ) - hearing_start,
            0
        ) as hearing_length
    from decisions
),

appraisals as (
    -- A stage that began after the limit had passed does not revive it.
    select
        *,
        case
            when appraisal_from <= base_days + extension_days then appraisal_length
            else 0
        end as appraisal_days
    from stages
),

hearings as (
    select
        *,
        case
            when hearing_from <= base_days + extension_days + appraisal_days then hearing_length
            else 0
        end as hearing_days
    from appraisals
),

excluded as (
    -- Days on which both stages ran are left out once.
    select
        *,
        appraisal_days + hearing_days - case
            when appraisal_days > 0 and hearing_days > 0
                then greatest(
                    least(appraisal_from + appraisal_days, hearing_from + hearing_days)
                    - greatest(appraisal_from, hearing_from),
                    0
                )
            else 0
        end as excluded_days
    from hearings
),

unpaid as (
    -- Without a reconsideration or a suit the decision can be enforced once the time to sue is over.
    select
        cases.case_id,
        cases.org_id,
        cases.party_id,
        cases.served_date + interval '6 months' as start_date,
        least(
            cases.enforcement_applied_date, cases.paid_in_full_date, cases.ended_date
        ) as stop_date
    from cases
    left anti join remedies on cases.case_id = remedies.case_id
    where cases.fine_fen > 0 and cases.served_date is not null
),

-- Clocks whose limit is that of the rule.
by_rule as (
    select
        'case_service' as clock,
        case_id as object_id,
        org_id,
        party_id,
        decided_date as start_date,
        served_date as stop_date
    from cases
    union all
    select
        'case_publication' as clock,
        case_id as object_id,
        org_id,
        party_id,
        decided_date as start_date,
        published_date as stop_date
    from cases
    where is_publishable
    union all
    select
        'credit_upload' as clock,
        case_id as object_id,
        org_id,
        party_id,
        decided_date as start_date,
        uploaded_date as stop_date
    from cases
    where is_publishable and procedure is distinct from 'simple'
    union all
    select
        'evidence_decision' as clock,
        case_id as object_id,
        org_id,
        party_id,
        evidence_registered_date as start_date,
        evidence_decided_date as stop_date
    from cases
    union all
    select
        'hearing_request' as clock,
        case_id as object_id,
        org_id,
        party_id,
        notified_date as start_date,
        hearing_requested_date as stop_date
    from cases
    where hearing_requested_date is not null
    union all
    select
        'hearing_notice' as clock,
        case_id as object_id,
        org_id,
        party_id,
        hearing_notified_date as start_date,
        hearing_held_date as stop_date
    from cases
    union all
    select
        'fine_payment' as clock,
        case_id as object_id,
        org_id,
        party_id,
        served_date as start_date,
        paid_in_full_date as stop_date
    from cases
    where fine_fen > 0
    union all
    select
        'cash_hand_in' as clock,
        case_id as object_id,
        org_id,
        party_id,
        cash_received_date as start_date,
        cash_handed_in_date as stop_date
    from cases
    union all
    select
        'retraction' as clock,
        case_id as object_id,
        org_id,
        party_id,
        changed_date as start_date,
        retracted_date as stop_date
    from cases
    where published_date is not null
    union all
    select
        'licence_delivery' as clock,
        licence_id as object_id,
        org_id,
        cast(null as string) as party_id,
        decided_date as start_date,
        delivered_date as stop_date
    from licences
    where decision is distinct from 'refused'
    union all
    select
        'licence_publication' as clock,
        licence_id as object_id,
        org_id,
        cast(null as string) as party_id,
        decided_date as start_date,
        published_date as stop_date
    from licences
    where decision is distinct from 'refused'
    union all
    select
        'spot_check_publication' as clock,
        inspection_id as object_id,
        org_id,
        party_id,
        finished_date as start_date,
        published_date as stop_date
    from inspections
    where is_double_random
),

-- Clocks with days or a due date of their own.
by_object as (
    select
        'case_decision' as clock,
        case_id as object_id,
        org_id,
        party_id,
        filed_date as start_date,
        stop_date,
        base_days,
        extension_days + excluded_days as more_days,
        cast(null as date) as given_due_date,
        cast(null as boolean) as is_in_hours
    from excluded
    union all
    -- 行政强制法 art. 25, 32: extended once while it lasts, by thirty days at most.
    select
        'measure_duration' as clock,
        measure_id as object_id,
        org_id,
        cast(null as string) as party_id,
        imposed_date as start_date,
        ended_date as stop_date,
        cast(null as bigint) as base_days,
        case
            when extended_date <= due_calendar_days(imposed_date, 30) then 30
            else 0
        end as more_days,
        cast(null as date) as given_due_date,
        cast(null as boolean) as is_in_hours
    from measures
    union all
    select
        'measure_report' as clock,
        measure_id as object_id,
        org_id,
        cast(null as string) as party_id,
        imposed_date as start_date,
        local_date(reported_at) as stop_date,
        cast(null as bigint) as base_days,
        0 as more_days,
        imposed_date + 1 as given_due_date,
        reported_at <= imposed_at + interval '24 hours' as is_in_hours
    from measures
    where is_emergency
    union all
    -- Who applied or paid before could have been enforced needs no clock.
    select
        'court_application' as clock,
        case_id as object_id,
        org_id,
        party_id,
        start_date,
        stop_date,
        cast(null as bigint) as base_days,
        0 as more_days,
        due_calendar_days(start_date + interval '3 months', 0) as given_due_date,
        cast(null as boolean) as is_in_hours
    from unpaid
    where stop_date is null or stop_date >= start_date
    union all
    -- 行政许可法 art. 42(2): forty-five days where several agencies handle it together.
    select
        'licence_decision' as clock,
        licence_id as object_id,
        org_id,
        cast(null as string) as party_id,
        accepted_date as start_date,
        decided_date as stop_date,
        case when is_joint then 45 end as base_days,
        0 as more_days,
        cast(null as date) as given_due_date,
        cast(null as boolean) as is_in_hours
    from licences
    union all
    select
        'complaint_handling' as clock,
        complaint_id as object_id,
        org_id,
        cast(null as string) as party_id,
        received_date as start_date,
        closed_date as stop_date,
        cast(null as bigint) as base_days,
        0 as more_days,
        due_on as given_due_date,
        cast(null as boolean) as is_in_hours
    from complaints
    union all
    select
        'opinion_reply' as clock,
        opinion_id as object_id,
        org_id,
        cast(null as string) as party_id,
        issued_date as start_date,
        coalesce(replied_date, closed_date) as stop_date,
        cast(null as bigint) as base_days,
        0 as more_days,
        due_on as given_due_date,
        cast(null as boolean) as is_in_hours
    from opinions
    union all
    select
        'rectification' as clock,
        inspection_id as object_id,
        org_id,
        party_id,
        finished_date as start_date,
        rectified_date as stop_date,
        cast(null as bigint) as base_days,
        0 as more_days,
        rectify_by as given_due_date,
        cast(null as boolean) as is_in_hours
    from inspections
    where rectify_by is not null
),

started as (
    select
        clock,
        object_id,
        org_id,
        party_id,
        start_date,
        stop_date,
        cast(null as bigint) as base_days,
        0 as more_days,
        cast(null as date) as given_due_date,
        cast(null as boolean) as is_in_hours
    from by_rule
    where start_date is not null or stop_date is not null
    union all
    select *
    from by_object
    where start_date is not null or stop_date is not null
),

limited as (
    select
        started.*,
        clock_rules.rule,
        clock_rules.day_kind,
        coalesce(
            coalesce(started.base_days, clock_rules.limit_days) + started.more_days,
            started.given_due_date - started.start_date
        ) as limit_days
    from started
    inner join clock_rules on started.clock = clock_rules.clock
),

due as (
    select
        *,
        case
            when start_date is null then null
            when day_kind = 'given' then given_due_date
            when day_kind = 'working' then due_working_days(start_date, limit_days)
            else due_calendar_days(start_date, limit_days)
        end as due_date
    from limited
)

select
    clock,
    object_id,
    org_id,
    party_id,
    start_date,
    due_date,
    stop_date,
    limit_days,
    rule,
    case
        when start_date is null or stop_date < start_date then false
        when due_date is null then null
        when rule = 'at_least' then coalesce(stop_date >= due_date, false)
        else coalesce(is_in_hours, stop_date <= due_date, false)
    end as is_met
from due
