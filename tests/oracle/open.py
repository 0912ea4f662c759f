"""Reads a lake with other engines, by the Python and SQL of docs/lake.md as they stand there.

usage: open.py numbers LAKE.md LAKE EVENT_TYPES.csv FIRST END [FIRST END…]     (days; from the first, before the end)
           prints CSV: engine, question, first, end, value
       open.py columns LAKE.md LAKE
           prints CSV: table, column, type, written, for every column that the page or the files have; written is what the page says
       open.py held LAKE.md LAKE
           opens every table with every engine, prints `opened`, and reads when a line comes in: CSV of engine, table, rows
"""

import csv
import json
import re
import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl
from deltalake import DeltaTable


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def run_page(page, lake):
    """The names that the page's Python defines, run in the order of the page."""
    names = {}
    sys.argv = ["lake.md", lake]
    for block in blocks(page, "python"):
        exec(compile(block, "docs/lake.md", "exec"), names)
    return names


def queries(page):
    """The page's queries by their names."""
    parts = re.split(r"^-- (\w+)(?:: .*)?$", "".join(blocks(page, "sql")), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def level_types(file):
    """The event types of each level of activity."""
    with open(file, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    types = {f"L{level}": [row["event_type"] for row in rows if row["activity_level"] == level] for level in "12"}
    types["FW"] = [row["event_type"] for row in rows if row["activity_level"] == "2" and row["is_field_work"] == "true"]
    return types


def active_in_events(names, types, first, end):
    """Counted over raw events, without any rollup: once by Polars, once by DuckDB."""
    events = names["newest_events"]().filter(pl.col("event_type").is_in(types), names["days"]("event_date", first, end))
    by_polars = events.select(pl.col("officer_ids").explode().drop_nulls().n_unique()).collect().item()
    by_duckdb = names["connection"].execute(
        "select count(distinct officer_id) from (select unnest(officer_ids) as officer_id from events"
        " where list_contains($types, event_type) and event_date >= $first and event_date < $end)",
        {"types": types, "first": first, "end": end},
    )
    by_spark = names["ask_spark"](
        f"""
        select count(distinct officer_id) from (
            select explode(officer_ids) as officer_id from events
            where event_type in ({", ".join(f"'{each}'" for each in types)}) and event_date >= $first and event_date < $end
        )
        """,
        first=first,
        end=end,
    )
    return {
        "polars over events": by_polars,
        "duckdb over events": by_duckdb.fetchone()[0],
        "spark over events": by_spark[0],
    }


def answers(names, sql, types, first, end):
    """Yields engine, question and value."""

    def row_of_duckdb(query, **parameters):
        return names["connection"].execute(sql[query], parameters).fetchone()

    def duckdb(query, **parameters):
        return row_of_duckdb(query, **parameters)[0]

    def spark(query, **parameters):
        return names["ask_spark"](sql[query], **parameters)

    for engine, row_of in [("duckdb", row_of_duckdb), ("spark", spark)]:
        ratio = row_of("officer_activity_ratio", level="L2", first=first, end=end)
        yield engine, "officer_activity_ratio numerator", ratio[0]
        yield engine, "officer_activity_ratio denominator", ratio[1]
    for level in ["L1", "L2", "FW"]:
        question = f"officers_active {level}"
        yield "polars", question, names["officers_active"](level, first, end)
        yield "polars over sets", question, names["officers_active_by_sets"](level, first, end)
        yield "delta-rs", question, names["officers_active_by_arrow"](level, first, end)
        yield "duckdb", question, duckdb("officers_active", level=level, first=first, end=end)
        yield "spark", question, spark("officers_active", level=level, first=first, end=end)[0]
        for engine, value in active_in_events(names, types[level], first, end).items():
            yield engine, question, value
    for question in ["patrols", "cases_closed"]:
        yield "polars", question, names[question](first, end)
        yield "duckdb", question, duckdb(question, first=first, end=end)
        yield "spark", question, spark(question, first=first, end=end)[0]
    last_day = end - timedelta(days=1)
    yield "polars", "cases_open", names["cases_open"](last_day)
    yield "duckdb", "cases_open", duckdb("cases_open", day=last_day)
    yield "spark", "cases_open", spark("cases_open", day=last_day)[0]


def members_of_flat(names, lake):
    """The rows of officer_days_flat equal the members of the sets, one by one."""
    flat = pl.scan_delta(f"{lake}/rollups/officer_days_flat").collect()
    numbers = pl.scan_delta(f"{lake}/rollups/officer_numbers").collect()
    officers = dict(numbers.select("officer_no", "officer_id").iter_rows())
    sets = pl.scan_delta(f"{lake}/rollups/officer_days").collect()
    members = {
        (row["event_date"], row["org_id"], row["level"], officers[number], row["event_month"])
        for row in sets.iter_rows(named=True)
        for number in names["officer_nos"](names["officer_set"](row["officers"]))
    }
    if members != set(flat.iter_rows()) or len(members) != flat.height:
        sys.exit("officer_days_flat does not hold the members of officer_days")


def numbers(page, lake, event_types, *days):
    names, sql, types = run_page(page, lake), queries(page), level_types(event_types)
    members_of_flat(names, lake)
    seen = {names["reflects"](rollup) for rollup in ["officer_days", "officer_days_flat", "inspections", "cases"]}
    newest = DeltaTable(f"{lake}/events").version()
    if len(seen) != 1 or not 0 < min(seen) <= newest:
        sys.exit(f"the rollups have seen versions {seen} of {newest}")
    yield ["engine", "question", "first", "end", "value"]
    for first, end in zip(days[::2], days[1::2]):
        for answer in answers(names, sql, types, date.fromisoformat(first), date.fromisoformat(end)):
            yield [*answer[:2], first, end, answer[2]]


def plain_type(kind):
    if isinstance(kind, str):
        return kind
    return "struct" if kind["type"] == "struct" else f"array of {plain_type(kind['elementType'])}"


def columns(page, lake):
    written = {}
    for section in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        table = re.match(r"`(.+?)`", section)[1]
        for column, kind in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, flags=re.MULTILINE):
            written[table, column] = kind
    there = {}
    for log in sorted(Path(lake).rglob("_delta_log")):
        table = log.parent.relative_to(lake).as_posix()
        for field in json.loads(DeltaTable(str(log.parent)).schema().to_json())["fields"]:
            there[table, field["name"]] = plain_type(field["type"])
    yield ["table", "column", "type", "written"]
    for table, column in sorted(written.keys() | there.keys()):
        yield [table, column, there.get((table, column), ""), written.get((table, column), "")]


def held(page, lake):
    tables = [log.parent for log in sorted(Path(lake).rglob("_delta_log"))]
    connection = run_page(page, lake)["connection"]
    opened = []
    for number, table in enumerate(tables):
        delta = DeltaTable(str(table))
        # Without a version it is the newest one when the rows are asked for.
        frame = pl.scan_delta(str(table), version=delta.version())
        connection.execute(f"attach '{table}' as held_{number} (type delta, pin_snapshot)")
        connection.execute(f"select 1 from held_{number} limit 1").fetchall()
        opened.append((delta, frame, f"held_{number}", table))
    print("opened", flush=True)
    sys.stdin.readline()
    yield ["engine", "table", "rows"]
    for delta, frame, name, table in opened:
        table = table.relative_to(lake).as_posix()
        yield ["delta-rs", table, delta.to_pyarrow_dataset().to_table().num_rows]
        yield ["polars", table, frame.collect().height]
        # Not count(*), which the log could answer.
        rows = connection.execute(f"select count(*) from (select * from {name} order by all)").fetchone()[0]
        yield ["duckdb", table, rows]


def main():
    command, *arguments = sys.argv[1:]
    arguments[0] = Path(arguments[0]).read_text(encoding="utf-8")
    rows = {"numbers": numbers, "columns": columns, "held": held}[command](*arguments)
    csv.writer(sys.stdout).writerows(rows)


main()
