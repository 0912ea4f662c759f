"""What dashboards ask: the same SQL for both servers, and the same question to lawpulse's metrics where there is one."""

import csv
import datetime
from dataclasses import dataclass

# Each dashboard is asked about so many periods or cases.
VARIANTS = 8


@dataclass
class Dashboard:
    """A question in plain SQL about `events`, and as a metric."""

    name: str
    plain: list
    metric: list | None = None
    # What of the rows has to be the same in both; `None` where the metric defines something finer.
    compared: object = None


def days(first, length):
    """Periods of so many days that begin in different months."""
    first = datetime.date.fromisoformat(first)
    starts = [first + datetime.timedelta(61 * one) for one in range(VARIANTS)]
    return [(start, start + datetime.timedelta(length)) for start in starts]


# The twelve months from each month on.
YEARS = [(f"2024-{month:02}-01", f"2025-{month:02}-01") for month in range(1, VARIANTS + 1)]


def all_dashboards(cases, units):
    with open("sql/reference/event_types.csv") as file:
        work = [row["event_type"] for row in csv.DictReader(file) if row["activity_level"] == "2"]
    work = ", ".join(f"'{event_type}'" for event_type in work)

    def each(template, periods):
        return [
            template.format(start=start, end=end, case=case, work=work) for (start, end), case in zip(periods, cases)
        ]

    return [
        Dashboard(
            "cases closed, each month of a year",
            each(
                """select cast(date_trunc('month', event_date) as date) as month, count(distinct object_id) as n
                   from events
                   where event_type = 'case.closed' and event_date >= '{start}' and event_date < '{end}'
                   group by 1 order by 1""",
                YEARS,
            ),
            each(
                """select period_start, value from metric('cases_closed', '{start}', '{end}', 'month', 'district')
                   order by 1""",
                YEARS,
            ),
            lambda rows: rows,
        ),
        Dashboard(
            "inspections, each unit, each month of a year",
            each(
                """select cast(date_trunc('month', event_date) as date) as month, org_id, count(*) as n from events
                   where event_type = 'inspection.finished' and event_date >= '{start}' and event_date < '{end}'
                   group by 1, 2 order by 1, 2""",
                YEARS,
            ),
            each(
                """select period_start, scope, value
                   from metric('inspections', '{start}', '{end}', 'month', 'district/*') order by 1, 2""",
                YEARS,
            ),
        ),
        Dashboard(
            "officers active, whole district, 17 days",
            each(
                """select count(distinct officer_id) as n
                   from (select unnest(officer_ids) as officer_id from events
                         where event_type in ({work}) and event_date >= '{start}' and event_date < '{end}') as active""",
                days("2024-05-03", 17),
            ),
            each(
                "select value from metric('officers_active', '{start}', '{end}', 'all', 'district')",
                days("2024-05-03", 17),
            ),
            lambda rows: rows,
        ),
        Dashboard(
            "officers active, each unit, 28 days",
            each(
                """select org_id, count(distinct officer_id) as n
                   from (select org_id, unnest(officer_ids) as officer_id from events
                         where event_type in ({work}) and event_date >= '{start}' and event_date < '{end}') as active
                   group by org_id order by n, org_id""",
                days("2024-05-03", 28),
            ),
            each(
                """select scope, value from metric('officers_active', '{start}', '{end}', 'all', 'district/*')
                   order by value, scope""",
                days("2024-05-03", 28),
            ),
            # A unit's scope includes the units under it.
            lambda rows: sorted(row for row in rows if row[0] in units),
        ),
        Dashboard(
            "the 20 items most inspected, 90 days",
            each(
                """select item_code, count(*) as n from events
                   where event_type = 'inspection.finished' and event_date >= '{start}' and event_date < '{end}'
                   group by item_code order by n desc, item_code limit 20""",
                days("2024-02-01", 90),
            ),
        ),
        Dashboard(
            "the last 20 events of a case",
            each(
                """select event_date, event_type, org_id, channel, event_id from events where object_id = '{case}'
                   order by occurred_at desc, event_id limit 20""",
                YEARS,
            ),
        ),
        Dashboard(
            "the last 200 events of two days",
            each(
                # ROAPI's JSON leaves out what is null.
                """select event_id, event_type, event_date, org_id, coalesce(object_id, '-') as object_id,
                       coalesce(item_code, '-') as item_code, channel
                   from events
                   where event_date >= '{start}' and event_date < '{end}'
                   order by occurred_at desc, event_id limit 200""",
                days("2024-03-01", 2),
            ),
        ),
    ]
