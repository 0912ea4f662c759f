"""Times queries over events: one server alone, and over workers.

usage: cluster.py LAWPULSE FOLDER

FOLDER/lake is there.
"""

import base64
import contextlib
import json
import os
import re
import statistics
import sys
import time
import urllib.request
from dataclasses import dataclass, field

import servers

TRIES = 3
TOKEN = "a-token-of-this-bench"
# Nothing ends a query before it is over; what does not fit in memory spills, as it would.
LIMITS = '[limits]\nwall_time = "30m"\nmemory = "4GB"\nspill = "20GB"\n'

# What computes much and returns few rows: read and summed up in place, many groups, rows that have to meet, and all rows in an order.
QUERIES = {
    "events by unit, type and month": "select org_id, event_type, event_month, count(*) as n from events group by 1, 2, 3",
    "a value out of all attributes": "select json_texts(attributes, 'result')['result'] as result, count(*) as n from events group by 1",
    "officers of each unit and month": (
        "select org_id, event_month, count(distinct officer) as n"
        " from (select org_id, event_month, unnest(officer_ids) as officer from events) group by 1, 2"
    ),
    "objects by their number of events": (
        "select n, count(*) as objects from (select object_id, count(*) as n from events where object_id is not null group by 1) group by 1"
    ),
    "days from the first to the last event of an object": (
        "select last.org_id, avg(date_part('epoch', last.occurred_at - first.occurred_at)) as seconds, count(*) as n"
        " from events as first inner join events as last on first.object_id = last.object_id"
        " where first.event_type like '%.started' and last.event_type like '%.finished' group by 1"
    ),
    "pairs of events of one unit and day, in a month": (
        "select first.event_type, second.event_type as other, count(*) as n from events as first inner join events as second"
        " on first.org_id = second.org_id and first.event_date = second.event_date and first.event_id < second.event_id"
        " where first.event_month = '2025-03' and second.event_month = '2025-03' group by 1, 2"
    ),
    "the newest event of each object": (
        "select event_type, count(*) as n from (select event_type, row_number() over (partition by object_id order by occurred_at desc, event_id) as place"
        " from events where object_id is not null) where place = 1 group by 1"
    ),
}


@dataclass
class Way:
    """Who answers: a server on some processors, and workers, each on its own."""

    name: str
    server: set[int]
    workers: list[set[int]] = field(default_factory=list)


def ways():
    there = sorted(os.sched_getaffinity(0))
    everything = set(there)
    yield Way("one node, 1 processor", {there[0]})
    yield Way(f"one node, {len(there)} processors", everything)
    for n in (2, 4):
        yield Way(
            f"{n} workers on {len(there)} processors",
            everything,
            [{there[at % len(there)]} if len(there) < 2 * n else everything for at in range(n)],
        )


@contextlib.contextmanager
def on(processors):
    """What is started here stays on these processors, and makes as many threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start_worker(binary, work, number, processors):
    command = [binary, "worker", "--lake", f"{work}/lake", "--listen", "127.0.0.1:0"]
    with on(processors), open(f"{work}/worker-{number}.log", "w") as log:
        worker = servers.Server(f"worker {number}", command, log)
    for line in worker.process.stdout:
        if line.startswith("worker"):
            worker.http = int(line.rsplit(":", 1)[1])
            return worker
    raise SystemExit(f"a worker did not start; see {log.name}")


def ask(server, path, body=None):
    key = base64.b64encode(f"admin:{servers.PASSWORD}".encode()).decode()
    headers = {"authorization": f"Basic {key}", "content-type": "application/json"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.http}{path}", body and json.dumps(body).encode(), headers
    )
    return urllib.request.urlopen(request).read()


def sent_here():
    """Bytes that went over the loopback interface so far."""
    with open("/proc/net/dev") as interfaces:
        return int(re.search(r"lo:\s*(\d+)", interfaces.read())[1])


@dataclass
class Figures:
    seconds: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)


def rounded(value):
    # Sums come in another order.
    return f"{value:.9g}" if isinstance(value, float) else value


def measure(binary, work, way):
    """Yields each query's name, figures and rows; then the memory of the fullest node."""
    nodes = [start_worker(binary, work, number, processors) for number, processors in enumerate(way.workers)]
    os.environ["LAWPULSE_CLUSTER_TOKEN"] = TOKEN
    urls = ", ".join(f'"http://127.0.0.1:{node.http}"' for node in nodes)
    cluster = f'[cluster]\nworkers = [{urls}]\nspread_from = "0B"\n' if nodes else ""
    try:
        with on(way.server):
            server = servers.start_lawpulse(binary, work, settings=LIMITS + cluster)
        nodes.append(server)
        servers.until(
            "the workers answer",
            lambda: all(it["answers"] for it in json.loads(ask(server, "/api/v1/status")).get("workers") or []),
        )
        # What the server computes by itself, goals and checks last, is spread too.
        servers.until(
            "goals and checks are known", lambda: b"\nlawpulse_check_violations" in ask(server, "/metrics"), hangs=1800
        )
        for node in nodes:
            node.wait_until_idle()
        answers, figures = {}, {}
        for name, sql in QUERIES.items():
            figures[name] = Figures()
            for _ in range(TRIES):
                sent, used, began = sent_here(), sum(node.cpu_seconds() for node in nodes), time.monotonic()
                rows = json.loads(ask(server, "/api/v1/sql", {"sql": sql}))["rows"]
                figures[name].seconds.append(time.monotonic() - began)
                figures[name].processor_s.append(sum(node.cpu_seconds() for node in nodes) - used)
                figures[name].moved.append(sent_here() - sent)
            answers[name] = sorted(
                str([rounded(value) for value in (row.values() if isinstance(row, dict) else row)]) for row in rows
            )
        text = ask(server, "/metrics").decode()
        spread = {
            way: float(n)
            for way, n in re.findall(r'^lawpulse_cluster_queries_total\{way="(\w+)"\} (\S+)', text, re.MULTILINE)
        }
        if nodes[:-1] and spread.get("fell_back", 0):
            raise SystemExit(f"{way.name}: queries fell back to the server: {spread}")
        return figures, answers, max(node.peak() for node in nodes), spread
    finally:
        for node in reversed(nodes):
            node.stop()


def megabytes(count):
    return f"{count / 1e6:,.1f} MB"


def main():
    os.environ["LAWPULSE_CLUSTER_TOKEN"] = TOKEN
    binary, work = sys.argv[1:]
    print(f"# {servers.events_in(binary, f'{work}/lake'):,} events", flush=True)
    found, expected = {}, None
    for way in ways():
        figures, answers, peak, spread = measure(binary, work, way)
        expected = expected or answers
        for name, rows in answers.items():
            if rows != expected[name]:
                raise SystemExit(f"{way.name}: {name}: other rows than one node has")
        found[way.name] = figures, peak
        print(
            f"# {way.name}: {json.dumps({name: vars(it) for name, it in figures.items()})}; peak {peak / 1e9:.1f} GB; {spread}",
            flush=True,
        )
    median = statistics.median
    print("| seconds (processor seconds); bytes moved | " + " | ".join(found) + " |")
    print("|---" * (len(found) + 1) + "|")
    for name in QUERIES:
        cells = []
        for figures, _ in found.values():
            it = figures[name]
            cells.append(f"{median(it.seconds):.2f} ({median(it.processor_s):.1f}); {megabytes(median(it.moved))}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(
        "| memory of the fullest node, at its peak | "
        + " | ".join(f"{peak / 1e9:.1f} GB" for _, peak in found.values())
        + " |"
    )


main()
