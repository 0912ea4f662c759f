"""Times the metric queries of lawpulse, and DuckDB computing the same.

usage: metrics.py LAWPULSE FOLDER

FOLDER/lake and FOLDER/duckdb.parquet are what landing.py has left.
"""

import datetime
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request

# Whoever ends the bench ends its server too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
lawpulse, work = sys.argv[1:]
lake = f"{work}/lake"
PERIOD = {"from": "2024-01-01", "to": "2026-01-01"}
# The queries of the dashboards: a metric, how it is cut, and what DuckDB has to compute for it.
QUERIES = [
    (
        "officers active, each unit, each month",
        "officers_active",
        {"grain": "month", "scope": "district/*", **PERIOD},
        """select org_id, month, count(distinct officer_id)
           from (select org_id, date_trunc('month', event_date) as month, unnest(officer_ids) as officer_id
                 from events where event_type in (select event_type from levels) and org_id in (from leaves))
           group by all""",
    ),
    (
        "officers active, whole district, 17 days",
        "officers_active",
        {"grain": "all", "scope": "district", "from": "2024-05-03", "to": "2024-05-20"},
        """select count(distinct officer_id)
           from (select unnest(officer_ids) as officer_id from events
                 where event_type in (select event_type from levels)
                   and event_date >= '2024-05-03' and event_date < '2024-05-20')""",
    ),
    (
        "officers active, one unit, 30 days up to each day",
        "officers_active",
        {"grain": "day", "window": "30", "scope": "ONE", "from": "2025-01-01", "to": "2026-01-01"},
        """with d as (select unnest(range(date '2025-01-01', date '2026-01-01', interval 1 day))::date as day),
                a as (select distinct event_date, unnest(officer_ids) as officer_id from events
                      where event_type in (select event_type from levels) and org_id = 'ONE')
           select day, count(distinct officer_id) from d join a
             on event_date <= day and event_date > day - 30 group by all""",
    ),
    (
        "the 20 units with the fewest active officers, 28 days",
        "officers_active",
        {"grain": "all", "scope": "district/*", "from": "2025-12-04", "to": "2026-01-01"},
        """select org_id, count(distinct officer_id) as n
           from (select org_id, unnest(officer_ids) as officer_id from events
                 where event_type in (select event_type from levels) and org_id in (from leaves)
                   and event_date >= '2025-12-04' and event_date < '2026-01-01')
           group by all order by n limit 20""",
    ),
    (
        "inspections, each unit, each month",
        "inspections",
        {"grain": "month", "scope": "district/*", **PERIOD},
        """select org_id, date_trunc('month', event_date) as month,
                  count(distinct coalesce(attributes->>'joint_task_id', object_id))
           from events where event_type = 'inspection.finished' and org_id in (from leaves) group by all""",
    ),
    (
        "cases closed, whole district, each month",
        "cases_closed",
        {"grain": "month", "scope": "district", **PERIOD},
        """select date_trunc('month', event_date) as month, count(distinct object_id)
           from events where event_type = 'case.closed' group by all""",
    ),
    (
        "open cases at each month's end",
        "cases_open",
        {"grain": "month", "scope": "district", **PERIOD},
        """with c as (select object_id, min(event_date) filter (event_type = 'case.filed') as filed,
                             max(event_date) filter (event_type in ('case.closed', 'case.withdrawn')) as ended
                      from events where event_type like 'case.%' group by object_id),
                m as (select unnest(range(date '2024-02-01', date '2026-02-01', interval 1 month)) as month_end)
           select month_end, count(*) from m join c
             on filed < month_end and (ended is null or ended >= month_end) group by all""",
    ),
    (
        "median days to decision, each month",
        "case_days_to_decision",
        {"grain": "month", "scope": "district", **PERIOD},
        """with c as (select object_id, max(attributes->>'procedure') as procedure,
                             min(event_date) filter (event_type = 'case.filed') as filed,
                             max(event_date) filter (event_type = 'case.decided') as decided
                      from events where event_type like 'case.%' group by object_id)
           select date_trunc('month', decided) as month, quantile_cont(decided - filed, 0.5)
           from c where decided is not null and procedure is distinct from 'simple' group by all""",
    ),
]


def get(base, path):
    with urllib.request.urlopen(base + path) as answer:
        return json.load(answer)


def median_ms(run, times):
    taken = []
    for _ in range(times):
        started = time.monotonic()
        run()
        taken.append((time.monotonic() - started) * 1000)
    return statistics.median(taken)


def shifted(metric, query, days):
    """The query about days that nobody has asked about yet: the server remembers what it has answered."""
    moved = {
        key: str(datetime.date.fromisoformat(value) - datetime.timedelta(days))
        for key, value in query.items()
        if key in ("from", "to")
    }
    return f"/api/v1/metrics/{metric}?{urllib.parse.urlencode({**query, **moved})}"


def bench_queries():
    import duckdb

    duck = duckdb.connect()
    duck.execute(f"create view events as from '{work}/duckdb.parquet'")
    duck.execute(
        "create table levels as select event_type from 'sql/reference/event_types.csv' where activity_level = 2"
    )
    # A unit's scope includes the units under it; DuckDB compares those that have none.
    duck.execute(
        f"""create table leaves as select org_id from '{work}/log/reference/orgs.csv' where org_id not in
            (select parent_id from '{work}/log/reference/orgs.csv' where parent_id is not null)"""
    )
    leaves = {org_id for (org_id,) in duck.execute("from leaves").fetchall()}
    server = subprocess.Popen(
        [
            lawpulse,
            "serve",
            "--lake",
            lake,
            "--http",
            "127.0.0.1:0",
            "--postgres",
            "127.0.0.1:0",
            "--as-of",
            "2026-01-01T00:30:00Z",
        ],
        stdout=subprocess.PIPE,
        text=True,
        # It logs each request.
        env={**os.environ, "LAWPULSE_LOG": "warn"},
    )
    try:
        base = server.stdout.readline().split()[-1].rstrip("/")
        started = time.monotonic()
        while True:
            try:
                urllib.request.urlopen(base + "/readyz").read()
                break
            except urllib.error.HTTPError:
                time.sleep(0.1)
        print(
            "# queries over HTTP: median of 5 about new days, and of 20 asked again; DuckDB: median of 3 on its Parquet file"
        )
        print(f"server ready after {time.monotonic() - started:.1f} s more")
        # Goals and checks are followed in the background; the queries are timed without them.
        while b"\ngoal_status" not in urllib.request.urlopen(base + "/metrics").read():
            time.sleep(0.5)
        print(f"goals and checks followed after {time.monotonic() - started:.1f} s")
        one = min(leaves)
        for name, metric, query, sql in QUERIES:
            query = {key: value.replace("ONE", one) for key, value in query.items()}
            sql = sql.replace("ONE", one)
            path = f"/api/v1/metrics/{metric}?{urllib.parse.urlencode(query)}"
            rows = get(base, path)["rows"]
            again = median_ms(lambda: get(base, path), 20)
            others = iter(range(1, 6))
            ours = median_ms(lambda: get(base, shifted(metric, query, next(others))), 5)
            found = duck.execute(sql).fetchall()
            theirs = median_ms(lambda: duck.execute(sql).fetchall(), 3)
            compared = leaves if query["scope"] == "district/*" else {query["scope"]}
            mine = sorted(row["value"] for row in rows if row["value"] and row["scope"] in compared)
            if name.startswith("the 20"):
                mine = mine[:20]
            agree = mine == sorted(float(row[-1]) for row in found if row[-1])
            print(
                f"{name:<54} {ours:8.1f} ms, again {again:6.1f} ms   DuckDB {theirs:8.1f} ms   "
                f"{'equal' if agree else 'DIFFERENT'}"
            )
            if not agree:
                raise SystemExit(f"{name}: the results differ")
        text = urllib.request.urlopen(base + "/metrics").read().decode()
        for line in text.splitlines():
            if line.startswith(("lawpulse_measuring_seconds", "process_resident_memory_bytes")):
                print(line)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


bench_queries()
