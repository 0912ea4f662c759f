"""Very many pushes of one event each: what they leave in the lake, and how it is read beside a single landing."""

import collections
import itertools
import json
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from asking import Desk, Pusher, drive
from bodies import DAY, Ledger, Source
from servers import start_lawpulse, until

PUSHERS = 8
EVERY = 60
SETTINGS = f'[maintenance]\nevery = "{EVERY}s"\n'
# Times that each query is asked on each side, by turns.
ASKED = 15
QUERIES = {
    "events by type, with their units": """
        select event_type, count(*) as n, count(distinct org_id) as units, min(occurred_at) as first
        from events group by event_type order by event_type""",
    "officers active, each unit": """select org_id, count(distinct officer_id) as n
        from (select org_id, unnest(officer_ids) as officer_id from events) group by org_id order by org_id""",
    "one day, each unit and type": f"""select org_id, event_type, count(*) as n from events where event_date = '{DAY}'
        group by org_id, event_type order by org_id, event_type""",
    "one event by its id": """select event_id, event_type, occurred_at, org_id, object_id, attributes
        from events where event_id = '{one}'""",
    "patrols, each scope, each month": """select time, scope, value from metrics.patrols where grain = 'month'
        order by time, scope""",
}


def small(lawpulse, work, orgs, bodies, land):
    """`land(lake, files)` lands files in a new lake."""
    print(
        f"\n# {bodies:,} pushes of one event by {PUSHERS} clients, maintenance every {EVERY} s; the same events from one file"
    )
    for lake in ("small", "bulk"):
        shutil.rmtree(f"{work}/{lake}", ignore_errors=True)
        shutil.copytree(f"{work}/empty", f"{work}/{lake}")
    source, ledger = Source("push", 1, orgs), Ledger()
    servers = [start_lawpulse(lawpulse, work, "small", SETTINGS)]
    try:
        push(servers[0], work, source, ledger, bodies)
        log = Path(work, "small.ndjson")
        log.write_bytes(b"".join(body.lines for body in ledger.acknowledged.values()))
        land(f"{work}/bulk", [log])
        print_lake(work, "bulk", "landed at once")
        servers.append(start_lawpulse(lawpulse, work, "bulk"))
        compare("after the last round of maintenance", servers, source)
        for server in servers:
            server.stop()
        maintain(lawpulse, work)
        servers = [start_lawpulse(lawpulse, work, lake) for lake in ("small", "bulk")]
        compare("after `lawpulse maintain`", servers, source)
    finally:
        for server in servers:
            server.stop()


def push(server, work, source, ledger, bodies):
    desk = Desk(server)
    desk.wait_until_measured()

    def next_body():
        return source.next() if source.made < bodies else None

    def took(body, _, answer):
        return ledger.took(body, answer)

    pushers = [Pusher(server, next_body, took) for _ in range(PUSHERS)]
    started, cpu = time.monotonic(), server.cpu_seconds()
    drive(pushers, lambda: len(ledger.acknowledged) < bodies)
    pushed = time.monotonic()
    print(
        f"acknowledged after {pushed - started:.0f} s, {bodies / (pushed - started):,.0f}/s, {ledger.refused} refused"
    )
    desk.wait_for_events(bodies)
    landed = time.time()
    print(
        f"landed {time.monotonic() - pushed:.1f} s later; the server took {server.cpu_seconds() - cpu:.0f} s of processor time"
    )
    ledger.check_landed(desk.row, source.name)
    print_lake(work, "small", "when all has landed")
    # The first round that ends may have begun before the last landing.
    ends = collections.deque(maxlen=2)

    def two_rounds_ended():
        ended = desk.sample("lawpulse_maintenance_timestamp_seconds")
        if ended and ended > landed and ended not in ends:
            ends.append(ended)
        return len(ends) == 2

    until("two rounds of maintenance have ended", two_rounds_ended, hangs=10 * EVERY)
    if desk.sample("lawpulse_maintenance_failures_total"):
        raise SystemExit(f"maintenance failed; see {work}/small.log")
    merged = desk.sample("lawpulse_maintenance_merged_files_total")
    print(f"two rounds later, {ends[-1] - landed:.0f} s after the last landing; {merged:,.0f} files merged in all")
    print_lake(work, "small", "after these rounds")
    ledger.check_landed(desk.row, source.name)


def print_lake(work, lake, when):
    folder = Path(work, lake, "events")
    log = [path.stat().st_size for path in folder.glob("_delta_log/*") if path.is_file()]
    data = [path.stat().st_size for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts]
    print(
        f"{lake + ', ' + when:<44} events: {in_use(folder):6,} files in use, {len(data):6,} on disk, {sum(data) / 1e6:7.1f} MB; "
        f"log: {len(log):6,} files, {sum(log) / 1e6:6.1f} MB",
        flush=True,
    )


def in_use(folder):
    """Data files of the newest version: what the newest checkpoint says, and the commits since."""
    import duckdb

    log = folder / "_delta_log"
    files, since = set(), -1
    if (last := log / "_last_checkpoint").exists():
        since = json.loads(last.read_text())["version"]
        parts = f"{log}/{since:020}.checkpoint*.parquet"
        found = duckdb.execute(f"select add.path from read_parquet('{parts}') where add.path is not null").fetchall()
        files = {path for (path,) in found}
    commits = sorted(path for path in log.glob("*.json") if path.stem.isdigit() and int(path.stem) > since)
    for action in itertools.chain.from_iterable(path.read_text().splitlines() for path in commits):
        action = json.loads(action)
        if "add" in action:
            files.add(action["add"]["path"])
        elif "remove" in action:
            files.discard(action["remove"]["path"])
    return len(files)


def maintain(lawpulse, work):
    started = time.monotonic()
    subprocess.run([lawpulse, "maintain", "--lake", f"{work}/small"], capture_output=True, text=True, check=True)
    print(f"\n`lawpulse maintain` took {time.monotonic() - started:.1f} s")
    print_lake(work, "small", "after it")


def compare(when, servers, source):
    """Asks both by turns; their answers have to be the same."""
    desks = [Desk(server) for server in servers]
    for desk, server in zip(desks, servers):
        desk.wait_until_measured()
        server.wait_until_idle()
    print(f"\n# {when}, median ms of {ASKED}\n{'':<44} {'small pushes':>12} {'at once':>12} {'ratio':>6}")
    for name, sql in QUERIES.items():
        sql = sql.replace("{one}", f"{source.name}-{source.made // 2:08}-{source.made // 2 % 1000:03}")
        taken, rows = ([], []), [None, None]
        for _, side in itertools.product(range(ASKED), (0, 1)):
            started = time.monotonic()
            rows[side] = desks[side].sql(sql)
            taken[side].append(1000 * (time.monotonic() - started))
        if rows[0] != rows[1] or not rows[0]:
            raise SystemExit(f"{name}: the lakes differ:\n{rows[0][:5]}\n{rows[1][:5]}")
        medians = [statistics.median(one) for one in taken]
        print(f"{name:<44} {medians[0]:12.1f} {medians[1]:12.1f} {medians[0] / medians[1]:6.2f}", flush=True)
