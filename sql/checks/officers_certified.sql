-- title_zh = "执法人员持有效证件执法"
-- title_en = "Officers hold a valid certificate when they act"
-- definition = "参与检查或办案的已登记执法人员，当日持有登记的有效执法证件（certificate_to 当日不含）；登记簿完全不记载证件的不判断，未登记人员见 officers_known。A registered officer who takes part in a check or a case holds a registered certificate that is valid on that day (certificate_to is exclusive); a register that records no certificate at all is not judged, and unknown officers are those of officers_known."
-- source = "《行政处罚法》第四十二条；国办发〔2024〕54号。行政处罚法 art. 42; 国办发〔2024〕54号"
-- severity = "finding"
-- org = "the unit in whose name the officer acted"
-- remedy = "证件有效而登记有误的，更正 officers.csv；确属无证执法的，调离执法岗位并审查所办案件。Correct officers.csv if the certificate was valid; otherwise the officer leaves the post and the cases are reviewed."
with entries as (
    select
        officer_numbers.officer_no,
        officers.officer_id,
        officers.certificate_no,
        greatest(
            coalesce(officers.valid_from, date '1900-01-01'),
            coalesce(officers.certificate_from, date '1900-01-01')
        ) as certified_from,
        least(
            coalesce(officers.valid_to, date '9999-12-31'),
            coalesce(officers.certificate_to, date '9999-12-31')
        ) as certified_to
    from officers
    inner join officer_numbers on officers.officer_id = officer_numbers.officer_id
),

judged as (
    -- A register that was derived from a log records no certificate of anyone.
    select distinct
        officer_no,
        officer_id
    from entries
    where exists (select 1 from officers where certificate_no is not null)
),

acting as (
    select
        event_date,
        org_id,
        unnest(set_numbers(officers)) as officer_no
    from officer_days
    where level = 'FW'
),

uncertified as (
    select acting.*
    from acting
    left anti join entries
        on
            acting.officer_no = entries.officer_no
            and entries.certificate_no is not null
            and acting.event_date >= entries.certified_from
            and acting.event_date < entries.certified_to
)

select
    uncertified.org_id,
    cast(null as varchar) as object_id,
    judged.officer_id,
    count(*) as days,
    min(uncertified.event_date) as first_date,
    max(uncertified.event_date) as last_date
from uncertified
inner join judged on uncertified.officer_no = judged.officer_no
group by uncertified.org_id, judged.officer_id
