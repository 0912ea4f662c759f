-- title_zh = "在册时段"
-- title_en = "Officers on the roster by unit and span of days, as exact sets"
-- kind = "derived"
-- grain = ["org_id", "valid_from", "valid_to"]
-- # A posting counts while it, the certificate and the account hold. A register that does not record
-- # certificates or accounts (one derived from a log) leaves them open.
with spans as (
    select
        officers.org_id,
        officer_numbers.officer_no,
        greatest(
            coalesce(officers.valid_from, date '1900-01-01'),
            coalesce(officers.certificate_from, date '1900-01-01'),
            coalesce(officers.onboarded_on, date '1900-01-01')
        ) as valid_from,
        least(
            coalesce(officers.valid_to, date '9999-12-31'),
            coalesce(officers.certificate_to, date '9999-12-31')
        ) as valid_to
    from officers
    inner join officer_numbers on officers.officer_id = officer_numbers.officer_id
    where officers.onboarded_on is not null or officers.certificate_no is null
)

select
    org_id,
    valid_from,
    valid_to,
    set_of(officer_no) as officers
from spans
where valid_from < valid_to
group by org_id, valid_from, valid_to
