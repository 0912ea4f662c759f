"""Times landing, and DuckDB and chDB doing the same; then what new events cost, on a small lake and a large one.

usage: landing.py LAWPULSE FOLDER EVENTS

FOLDER/log holds what `lawpulse simulate --profile scale` wrote. Leaves FOLDER/lake and FOLDER/duckdb.parquet.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

from servers import events_in

lawpulse, work, events = sys.argv[1], sys.argv[2], int(sys.argv[3])
logs = sorted(glob.glob(f"{work}/log/events-*"))
log_format = logs[0].rsplit(".", 1)[-1]
bytes_in = sum(os.path.getsize(path) for path in logs)
# What a SIMD parser of JSON reads on one core, which is as fast as landing could be there.
PARSE_LIMIT = 0.65e9
# How many events are new on a lake, and on how many of its last days.
NEW_EVENTS, NEW_DAYS = 10_000, 2


def peak_of(process):
    """The most memory that a process has held so far, in bytes."""
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024


def register(lake, log):
    """Makes a lake that knows the units, officers and parties of a log, which the others do not read either."""
    shutil.rmtree(lake, ignore_errors=True)
    files = sorted(glob.glob(f"{log}/reference/*.csv"))
    command = [lawpulse, "land", "--lake", lake, "--source", "reference", *files]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def land(lake, files):
    """Lands files. Returns seconds and peak when they had landed and when the rollups stood too, and the seconds of the stages."""
    started = time.monotonic()
    env = {**os.environ, "LAWPULSE_LOG": "info,pipeline=debug"}
    process = subprocess.Popen(
        [lawpulse, "land", "--lake", lake, *files],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    landed, stages, told = None, {}, []
    for line in process.stderr:
        told.append(line)
        if "seconds of the threads" in line:
            for stage, seconds in re.findall(r"(\w+)=([\d.]+)", line):
                stages[stage] = stages.get(stage, 0) + float(seconds)
        elif "landing took" in line:
            landed = time.monotonic() - started, peak_of(process)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"landing failed:\n{''.join(told)}")
    return landed, (time.monotonic() - started, usage.ru_maxrss * 1024), stages


def report(name, seconds, peak):
    print(
        f"{name:<44} {seconds:7.2f} s  {bytes_in / seconds / 1e6:7.0f} MB/s  "
        f"{events / seconds:10.0f} events/s  peak {peak / 1e9:5.2f} GB",
        flush=True,
    )


DUCKDB = """
import duckdb, sys
work = sys.argv[1]
c = duckdb.connect()
c.execute("set preserve_insertion_order = false")
c.execute(f"set temp_directory = '{work}/duckdb.tmp'")
read = f"read_parquet('{work}/log/events-*.parquet')" if sys.argv[2] == "parquet" else f'''
    read_json('{work}/log/events-*.ndjson', format = 'newline_delimited', columns = {{
        event_id: 'varchar', event_type: 'varchar', occurred_at: 'timestamptz', received_at: 'timestamptz',
        org_id: 'varchar', officer_ids: 'varchar[]', object_id: 'varchar', party_id: 'varchar',
        item_code: 'varchar', channel: 'varchar', attributes: 'json'}})'''
c.execute(f'''copy (
    select * exclude (n) from (
        select *, cast(occurred_at at time zone 'Asia/Shanghai' as date) as event_date,
               row_number() over (partition by event_id order by received_at) as n
        from {read}
    ) where n = 1 order by event_type, occurred_at
) to '{work}/duckdb.parquet' (format parquet, compression zstd)''')
print(c.execute(f"select count(*) from '{work}/duckdb.parquet'").fetchone()[0])
"""

# Any row of an id is left, which is the cheapest way that there is.
CHDB = """
import chdb, os, sys
work = sys.argv[1]
out = f"{work}/chdb.parquet"
if os.path.exists(out):
    os.remove(out)
read = f"file('{work}/log/events-*.parquet', Parquet)" if sys.argv[2] == "parquet" else f'''
    file('{work}/log/events-*.ndjson', JSONEachRow, 'event_id String, event_type String, occurred_at DateTime64(6, \\\\'Asia/Shanghai\\\\'),
        received_at DateTime64(6, \\\\'Asia/Shanghai\\\\'), org_id String, officer_ids Array(String), object_id Nullable(String),
        party_id Nullable(String), item_code Nullable(String), channel Nullable(String), attributes Nullable(String)')'''
chdb.query(f'''insert into function file('{out}', Parquet)
    select *, toDate(occurred_at, 'Asia/Shanghai') as event_date from {read}
    order by event_type, occurred_at limit 1 by event_id
    settings date_time_input_format = 'best_effort', input_format_json_read_objects_as_strings = 1,
        output_format_parquet_compression_method = 'zstd' ''')
print(chdb.query(f"select count() from file('{out}', Parquet)", "CSV").data().strip())
"""


def peer(name, script):
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", script, work, log_format], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status:
        raise SystemExit(f"{name} failed:\n{output}")
    report(name, seconds, usage.ru_maxrss * 1024)
    return seconds, int(output.split()[-1])


def bench_landing():
    register(f"{work}/lake", f"{work}/log")
    print(
        f"# landing {events} lines, {bytes_in / 1e9:.2f} GB of {log_format}: deduplicated, sorted, zstd Parquet",
        flush=True,
    )
    (seconds, peak), (whole, whole_peak), stages = land(f"{work}/lake", logs)
    report("lawpulse, synced to disk", seconds, peak)
    report("lawpulse, with the rollups", whole, whole_peak)
    threads = sum(stages.values())
    shares = ", ".join(f"{stage} {took:.1f} s ({took / threads:.0%})" for stage, took in stages.items())
    print(f"where the time of its threads goes: {shares}")
    if log_format == "ndjson":
        share = bytes_in / PARSE_LIMIT / (os.cpu_count() * seconds)
        print(
            f"a parser of {PARSE_LIMIT / 1e9:.2f} GB/s alone would take {share:.0%} of that time on {os.cpu_count()} cores"
        )
    peers = [peer("DuckDB, one file, not synced", DUCKDB), peer("chDB, one file, not synced", CHDB)]
    print(f"{min(taken for taken, _ in peers) / seconds:.1f} times as fast as the faster of them")
    landed = events_in(lawpulse, f"{work}/lake")
    if any(rows != landed for _, rows in peers):
        raise SystemExit(f"lawpulse has {landed} events, the others {[rows for _, rows in peers]}")


def last_days(log):
    """As many events of the last days of a log as there are new ones, with ids of their own."""
    found = []
    with open(log) as lines:
        lines.seek(max(0, os.path.getsize(log) - 64_000_000))
        lines.readline()
        found = [json.loads(line) for line in lines]
    days = sorted({event["occurred_at"][:10] for event in found})[-NEW_DAYS:]
    found = [event for event in found if event["occurred_at"][:10] in days][:NEW_EVENTS]
    return [{**event, "event_id": f"new-{position}"} for position, event in enumerate(found)]


def bench_new_events():
    """Lands new events of the last days, once on the lake and once on one of a tenth."""
    size = max(events // 10, 1)
    shutil.rmtree(f"{work}/small-log", ignore_errors=True)
    simulate = [lawpulse, "simulate", "--profile", "scale", "--events", str(size), "--out", f"{work}/small-log"]
    subprocess.run(simulate, stdout=subprocess.DEVNULL, check=True)
    register(f"{work}/small-lake", f"{work}/small-log")
    land(f"{work}/small-lake", sorted(glob.glob(f"{work}/small-log/events-*")))
    new = last_days(logs[-1])
    with open(f"{work}/new.ndjson", "w") as lines:
        lines.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in new)
    print(f"# {len(new)} new events of the last {NEW_DAYS} days")
    for lake in ("small-lake", "lake"):
        before = events_in(lawpulse, f"{work}/{lake}")
        # What the bench of the queries compares stays as it is.
        shutil.copytree(f"{work}/{lake}", f"{work}/grown-lake")
        landed, whole, _ = land(f"{work}/grown-lake", [f"{work}/new.ndjson"])
        if events_in(lawpulse, f"{work}/grown-lake") != before + len(new):
            raise SystemExit("new events did not land once")
        shutil.rmtree(f"{work}/grown-lake")
        print(
            f"on {before:>10,} events: landed after {landed[0]:.2f} s, rollups refreshed {whole[0] - landed[0]:.2f} s later",
            flush=True,
        )


bench_landing()
if log_format == "ndjson":
    bench_new_events()
