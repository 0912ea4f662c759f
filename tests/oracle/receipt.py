"""Counts receipt.csv with DuckDB, from the raw file and with SQL of its own: what lawpulse is held against.

usage: receipt.py FILE.csv ZONE FIRST_MONTH LAST_MONTH      (months as 2010-10-01, both inclusive)

Prints CSV: metric, scope, period_start, value. Every unit has a row for every month, also where the value is 0.
"""

import csv
import sys

import duckdb

SQL = """
with raw as (
    select
        row_number() over () as position,
        "case:concept:name" as case_id,
        "org:group" as unit,
        "org:resource" as person,
        cast("time:timestamp" as timestamptz) at time zone $zone as happened,
        cast("case:startdate" as timestamptz) at time zone $zone as started,
        cast("case:enddate" as timestamptz) at time zone $zone as ended
    from read_csv($file, header = true, all_varchar = true)
),

months as (
    select
        cast(month as date) as month,
        cast(month + interval 1 month as date) as next_month
    from generate_series(cast($first as timestamp), cast($last as timestamp), interval 1 month) as series (month)
),

units as (select distinct unit from raw),

-- A case belongs to the unit of its first row in the file.
cases as (
    select
        arg_min(unit, position) as unit,
        min(started) as started,
        max(ended) as ended
    from raw
    group by case_id
),

active as (
    select
        units.unit,
        months.month,
        count(distinct raw.person) as value
    from units
    cross join months
    left join raw
        on raw.unit = units.unit and raw.happened >= months.month and raw.happened < months.next_month
    group by all
),

open_of_unit as (
    select
        units.unit,
        months.month,
        count(cases.unit) as value
    from units
    cross join months
    left join cases
        on
            cases.unit = units.unit
            and cases.started < months.next_month
            and (cases.ended is null or cases.ended >= months.next_month)
    group by all
)

select 'officers_active' as metric, unit as scope, month, value from active
union all
select 'cases_open', unit, month, value from open_of_unit
union all
select 'cases_open', 'district', month, sum(value) from open_of_unit group by month
order by all
"""


def main():
    file, zone, first, last = sys.argv[1:]
    parameters = {"file": file, "zone": zone, "first": first, "last": last}
    rows = duckdb.execute(SQL, parameters).fetchall()
    out = csv.writer(sys.stdout)
    out.writerow(["metric", "scope", "period_start", "value"])
    out.writerows(rows)


main()
