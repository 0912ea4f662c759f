"""Asks lawpulse and ROAPI what dashboards ask, over both doors of both, and then storms lawpulse.

usage: doors LAWPULSE FOLDER SECONDS

FOLDER/log holds what `lawpulse simulate --profile scale` wrote; SECONDS is the time for each number of clients.
"""

import csv
import datetime
import itertools
import re
import shutil
import signal
import subprocess
import sys

import load
import storm
from clients import Http, Wire, lawpulse_sql, page, roapi_sql
from servers import PASSWORD, start_lawpulse, start_roapi, until

from dashboards import VARIANTS, all_dashboards

CLIENTS = (1, 16, 64)
ANALYST, AUDITOR = ("analyst", PASSWORD), ("auditor", PASSWORD)
# Times that each dashboard is asked alone, for each of its variants.
ALONE = 4
WHAT_IS_COMPARED = """\
# The same SQL about `events`, on the same Parquet files, in the same form (JSON; text on the wire).
# lawpulse does more for it: its `events` are the newest revisions of what was accepted; an analyst's officers and
#   parties are pseudonyms, made row by row (an auditor's are not); each query has a caller and limits, is counted and
#   logged; days come over the wire as days, not as numbers; and it sees what lands, ROAPI the files of its start.
# `ROAPI files` reads the lake's Delta table as lawpulse does; `ROAPI memory`, its default, holds the rows decoded.
# `metrics` is the same dashboards through lawpulse's metric(…), which reads rollups and remembers its answers until
#   something lands: ROAPI has nothing like it.
# Limits of lawpulse: the defaults of docs/lawpulse.toml: 4 queries at once, 128 wait, 512 MB and 30 s each. ROAPI: none.
# Clients: one thread of Python for all, bytes over kept connections and libpq. `client %` is its share of a core,
#   `CPU ms` what the server spends on an answer."""
EPOCH = datetime.date(1970, 1, 1)
DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Side:
    """Somebody who asks one of the servers."""

    def __init__(self, name, server, questions, login=None):
        self.name, self.server, self.questions, self.login = name, server, questions, login
        self.expected = {"HTTP": {}, "wire": {}}

    def client(self, door):
        if door == "HTTP":
            request_of = lawpulse_sql if self.login else roapi_sql
            return Http(self.server.http, request_of, self.login)
        return Wire(self.server.postgres, self.login or ("me", ""))


def land(lawpulse, work):
    shutil.rmtree(f"{work}/lake", ignore_errors=True)
    done = subprocess.run(
        [lawpulse, "land", "--lake", f"{work}/lake", f"{work}/log"], capture_output=True, text=True, check=True
    )
    print(done.stdout.strip().splitlines()[-1])


def leaves(work):
    """The units that have none under them."""
    with open(f"{work}/log/reference/orgs.csv") as file:
        orgs = list(csv.DictReader(file))
    parents = {org["parent_id"] for org in orgs}
    return {org["org_id"] for org in orgs} - parents


def check_equal(sides, dashboards):
    """Asks everything of everybody once; remembers the answers, which have to be the same."""
    refused = set()
    for dashboard in dashboards:
        for variant, plain in enumerate(dashboard.plain):
            first = None
            for side, door in itertools.product(sides, ("HTTP", "wire")):
                if (side.name, door) in refused or plain not in side.questions:
                    continue
                answer = load.ask(side.clients[door], plain)
                if answer.error and side.login is None:
                    print(f"{side.name} over {door} does not answer {dashboard.name}: {answer.message.strip()}")
                    refused.add((side.name, door))
                    continue
                rows = answer.rows()
                side.expected[door][plain] = answer.digest
                first = first or rows
                if side.login is None and door == "wire":
                    rows = with_days(rows, first)
                if not rows or rows != first:
                    raise SystemExit(f"{dashboard.name}: {side.name} over {door} differs:\n{rows[:5]}\n{first[:5]}")
            if dashboard.metric:
                check_metric(sides, dashboard, variant, first)
    print(f"equal: {len(dashboards)} dashboards, each about {VARIANTS} periods or cases, over HTTP and the wire")
    return refused


def with_days(rows, expected):
    """ROAPI's wire sends days as their numbers since 1970."""
    return [
        [str(EPOCH + datetime.timedelta(int(mine))) if DAY.fullmatch(theirs) else mine for mine, theirs in zip(*both)]
        for both in zip(rows, expected)
    ]


def check_metric(sides, dashboard, variant, plain):
    metric = dashboard.metric[variant]
    for side, door in itertools.product(sides, ("HTTP", "wire")):
        if metric in side.questions:
            answer = load.ask(side.clients[door], metric)
            side.expected[door][metric] = answer.digest
            of_both = dashboard.compared
            if of_both and of_both(answer.rows()) != of_both(plain):
                raise SystemExit(f"{dashboard.name}: the metric differs:\n{answer.rows()[:5]}\n{plain[:5]}")


def ask_alone(sides, dashboards, refused):
    print(f"\n# each dashboard asked alone: p50 of {ALONE * VARIANTS}, ms over HTTP / over the wire")
    print(f"{'':<46}" + "".join(f"{side.name:>22}" for side in sides))
    for dashboard in dashboards:
        cells = []
        for side in sides:
            asked = [one for one in [*dashboard.plain, *(dashboard.metric or [])] if one in side.questions]
            cells.append(" / ".join(alone(side, door, asked, refused) for door in ("HTTP", "wire")) if asked else "–")
        print(f"{dashboard.name:<46}" + "".join(f"{cell:>22}" for cell in cells), flush=True)


def alone(side, door, asked, refused):
    if (side.name, door) in refused:
        return "–"
    found = load.Found()
    for question in asked * ALONE:
        load.loop(
            [side.clients[door]],
            {side.clients[door]: iter([question])},
            0,
            lambda _client, _question, seconds, _answer: found.milliseconds.append(1000 * seconds),
        )
    return f"{found.percentile(0.5):.1f}"


def print_floor(lawpulse, roapi, seconds):
    """What the clients and the doors themselves cost."""
    print(f"\n{'# the floor: nothing to compute':<46}{load.HEADER}")
    for number in CLIENTS:
        for server, path in ((lawpulse, "/healthz"), (roapi, "/health")):
            clients = [Http(server.http, page) for _ in range(number)]
            report(f"{number:3} clients  {path:<9}  {server.name}", server, clients, [path], seconds)
        for side in (lawpulse, roapi):
            login = ANALYST if side is lawpulse else ("me", "")
            clients = [Wire(side.postgres, login) for _ in range(number)]
            report(f"{number:3} clients  select 1   {side.name}", side, clients, ["select 1"], seconds)


def report(name, server, clients, questions, seconds, expected=None):
    found = load.measure(server, clients, questions, seconds, expected)
    for client in clients:
        client.close()
    print(f"{name:<46}{found.line()}", flush=True)


def ask_together(sides, refused, seconds):
    print(f"\n{'# all dashboards by turns, without pauses':<46}{load.HEADER}")
    for door, number, side in itertools.product(("HTTP", "wire"), CLIENTS, sides):
        if side.login == AUDITOR or (side.name, door) in refused:
            continue
        clients = [side.client(door) for _ in range(number)]
        name = f"{number:3} clients  {door:<9}  {side.name}"
        report(name, side.server, clients, side.questions, seconds, side.expected[door])


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lawpulse, work, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    land(lawpulse, work)
    print(WHAT_IS_COMPARED)
    servers = []
    try:
        servers.append(start_lawpulse(lawpulse, work))
        servers.append(start_roapi("ROAPI files", work, "{format: delta, use_memory_table: false}"))
        servers.append(start_roapi("ROAPI memory", work, "{format: parquet}"))
        compare(servers, work, seconds)
        for roapi in servers[1:]:
            roapi.stop()
        storm.storm(servers[0])
    finally:
        for server in servers:
            server.stop()


def compare(servers, work, seconds):
    ours, files, memory = servers
    # Measuring, goals and checks go on in the background after the start; the queries are timed without them.
    admin = Http(ours.http, page, ("admin", PASSWORD))
    until("everything is measured", lambda: b"\ngoal_status" in (load.ask(admin, "/metrics").body or b""))
    print("resident: " + ", ".join(f"{server.name} {server.resident() / 1e6:.0f} MB" for server in servers))
    asking = Http(ours.http, lawpulse_sql, ANALYST)
    some = "select object_id from events where event_type = 'case.decided' order by event_id limit"
    cases = [row[0] for row in load.ask(asking, f"{some} {VARIANTS}").rows()]
    dashboards = all_dashboards(cases, leaves(work))
    plain = [question for dashboard in dashboards for question in dashboard.plain]
    metric = [question for dashboard in dashboards for question in dashboard.metric or []]
    sides = [
        Side("lawpulse", ours, plain, ANALYST),
        Side("… as auditor", ours, plain, AUDITOR),
        Side("ROAPI files", files, plain),
        Side("ROAPI memory", memory, plain),
        Side("metrics", ours, metric, ANALYST),
    ]
    for side in sides:
        side.clients = {door: side.client(door) for door in ("HTTP", "wire")}
    refused = check_equal(sides, dashboards)
    ask_alone(sides, dashboards, refused)
    print_floor(ours, files, min(seconds, 3))
    ask_together(sides, refused, seconds)
    print("resident: " + ", ".join(f"{server.name} {server.resident() / 1e6:.0f} MB" for server in servers))


main()
