-- title_zh = "检查与案件的持证执法人员"
-- title_en = "Inspections and decided cases with how many of their officers were certified on the day"
-- kind = "view"
-- grain = ["scope_id", "period_start", "act", "act_id"]
-- # The day is that on which an inspection ended or a case was decided. An officer is certified on it
-- # when an entry of the register that is in force on it names a certificate that holds on it.
with covered as (
    -- Whoever is certified on every day asked for needs no look at the single day.
    select distinct officer_id
    from officers
    where
        certificate_no is not null
        and (valid_from is null or valid_from <= $from)
        and (valid_to is null or valid_to >= $to)
        and (certificate_from is null or certificate_from <= $from)
        and (certificate_to is null or certificate_to >= $to)
),

doubtful as (
    select set_of(officer_numbers.officer_no) as officers
    from officer_numbers
    left join covered on officer_numbers.officer_id = covered.officer_id
    where covered.officer_id is null
),

all_acts as (
    select
        'inspection' as act,
        inspection_id as act_id,
        org_id,
        party_id,
        finished_date as day,
        officers
    from inspections
    where
        finished_date >= $from
        and finished_date < $to
        and (kind is distinct from 'patrol')
    union all
    select
        'case' as act,
        case_id as act_id,
        org_id,
        party_id,
        decided_date as day,
        officers
    from cases
    where decided_date >= $from and decided_date < $to
),

sorted as (
    select
        all_acts.act,
        all_acts.act_id,
        all_acts.org_id,
        all_acts.party_id,
        all_acts.day,
        coalesce(set_count(all_acts.officers), 0) as officers,
        set_intersect(all_acts.officers, doubtful.officers) as doubtful_officers
    from doubtful
    cross join all_acts
),

doubted as (
    select
        act,
        act_id,
        day,
        unnest(set_numbers(doubtful_officers)) as officer_no
    from sorted
    where set_count(doubtful_officers) > 0
),

confirmed as (
    select
        doubted.act,
        doubted.act_id,
        count(distinct doubted.officer_no) as officers
    from doubted
    inner join officer_numbers on doubted.officer_no = officer_numbers.officer_no
    inner join officers
        on
            officer_numbers.officer_id = officers.officer_id
            and officers.certificate_no is not null
            and (officers.valid_from is null or officers.valid_from <= doubted.day)
            and (officers.valid_to is null or officers.valid_to > doubted.day)
            and (officers.certificate_from is null or officers.certificate_from <= doubted.day)
            and (officers.certificate_to is null or officers.certificate_to > doubted.day)
    group by doubted.act, doubted.act_id
),

counted as (
    select
        sorted.act,
        sorted.act_id,
        sorted.org_id,
        sorted.party_id,
        sorted.day,
        sorted.officers,
        sorted.officers - coalesce(set_count(sorted.doubtful_officers), 0)
        + coalesce(confirmed.officers, 0) as certified_officers
    from sorted
    left join confirmed
        on
            sorted.act = confirmed.act
            and sorted.act_id = confirmed.act_id
)

select
    scope_orgs.scope_id,
    period_days.period_start,
    counted.act,
    counted.act_id,
    counted.org_id,
    counted.party_id,
    counted.day,
    counted.officers,
    counted.certified_officers
from counted
inner join period_days on counted.day = period_days.day
inner join scope_orgs
    on
        counted.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
