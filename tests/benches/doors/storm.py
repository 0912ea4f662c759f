"""A hundred heavy queries at once over each door, while events land and pages are asked for."""

import collections
import itertools
import json
import random
import time

import load
from clients import Http, Wire, lawpulse_sql, page
from servers import PASSWORD, until

AT_ONCE, MEMORY = 4, 512 << 20
QUERIES = 100
# Of the heavy queries the one that takes most beyond what the engine counts.
GREEDIEST = 1
PUSHED, EVERY = 500, 2.0
# What a refused query may be told, and which limit that is. Everything else is a failure.
REFUSALS = {
    "503": "busy",
    "504": "30 s",
    "413": "rows or bytes",
    "422": "memory or disk",
    "53300": "busy",
    "57014": "30 s",
    "54000": "rows or bytes",
    "53200": "memory",
    "53100": "disk",
}
# Each takes more than 512 MB or 30 s, or comes close; they are multiplied so that a lake of any size will do.
HEAVY = [
    # wide distincts
    """select count(*) from (select distinct event_id, attributes, k.value
       from events cross join generate_series(1, {many}) as k)""",
    """select count(distinct event_id || cast(k.value as varchar))
       from events cross join generate_series(1, {many}) as k""",
    # sorts that spill
    """select max(n) from (select row_number() over (order by attributes, event_id, k.value) as n
       from events cross join generate_series(1, {many}) as k)""",
    """select event_id, attributes, k.value from events cross join generate_series(1, {many}) as k
       order by attributes desc, event_id, k.value limit 900000""",
    """select sum(n) from (select count(*) over (partition by party_id, k.value order by occurred_at) as n
       from events cross join generate_series(1, {many}) as k)""",
    # aggregations of large states
    """select count(*) from (select officer_id, k.value, min(attributes), max(object_id)
       from (select unnest(officer_ids) as officer_id, attributes, object_id from events)
       cross join generate_series(1, {many}) as k group by 1, 2)""",
    "select array_length(array_agg(event_id || attributes)) from events cross join generate_series(1, {many}) as k",
    # joins of everything with everything
    "select count(*) from events as a cross join events as b where a.item_code < b.item_code",
    """select count(*) from events as a inner join events as b
       on a.org_id = b.org_id and a.event_date = b.event_date and a.event_type < b.event_type""",
    # many rows
    "select event_id, attributes, party_id, k.value from events cross join generate_series(1, {many}) as k",
]


class Landing:
    """Pushes events, and sees when they have landed."""

    def __init__(self, server):
        self.client = Http(server.http, self.push, ("admin", PASSWORD))
        self.status = Http(server.http, page, ("admin", PASSWORD))
        self.events = self.landed()
        self.numbers = itertools.count()
        self.pushed = collections.deque()
        self.delays = []

    def push(self, first):
        lines = (
            {
                "event_id": f"storm-{first}-{number}",
                "event_type": "patrol.recorded",
                "occurred_at": f"2025-12-31T10:{number % 60:02}:00+08:00",
                "org_id": "org-0001",
                "officer_ids": [f"officer-{number:07}"],
                "object_id": f"patrol-storm-{first}-{number}",
            }
            for number in range(PUSHED)
        )
        return "/api/v1/events?source=native", "\n".join(map(json.dumps, lines)).encode()

    def landed(self):
        return json.loads(load.ask(self.status, "/api/v1/status").body)["events"]

    def pushes(self):
        yield from self.numbers

    def took_push(self, answer):
        accepted = json.loads(answer.body)["accepted"] if answer.body else 0
        if accepted != PUSHED:
            raise SystemExit(f"a push of {PUSHED} was answered {answer}")
        self.events += PUSHED
        self.pushed.append((self.events, time.monotonic()))

    def took_status(self, answer):
        events = json.loads(answer.body)["events"] if answer.body else 0
        while self.pushed and self.pushed[0][0] <= events:
            self.delays.append(time.monotonic() - self.pushed.popleft()[1])

    def settle(self):
        def has_landed():
            self.took_status(load.ask(self.status, "/api/v1/status"))
            return not self.pushed

        until("everything that was pushed has landed", has_landed)


def storm(server):
    """Measures what the server needs without a storm, and then with one at each door."""
    landing = Landing(server)
    pages = {path: Http(server.http, page, ("admin", PASSWORD)) for path in ("/healthz", "/metrics")}
    print(
        f"\n# the storm: {QUERIES} heavy queries at once; {PUSHED} events pushed every {EVERY:.0f} s, pages asked for, all the while"
    )
    server.forget_peak()
    calm = during(server, [], landing, pages, 10)
    base = server.peak()
    bound = base + AT_ONCE * MEMORY
    print(f"without queries: peak {base / 1e6:.0f} MB while events land and everything is measured again; {calm}")
    print(f"the bound: that + {AT_ONCE} queries at once × {MEMORY >> 20} MiB = {bound / 1e6:.0f} MB")
    many = max(2, round(12e6 / landing.events))
    heavy = [one.format(many=many) for one in HEAVY]
    mixed = heavy * (QUERIES // len(heavy))
    over = []
    for door, kind in itertools.product(("HTTP", "wire"), ("mixed", "distincts")):
        questions = random.Random(door).sample(mixed, QUERIES) if kind == "mixed" else [heavy[GREEDIEST]] * QUERIES
        # A hundred logins at once would be told to come back; who is known goes on.
        load.ask(client_of(server, "HTTP"), "select 1")
        clients = [client_of(server, door) for _ in questions]
        server.forget_peak()
        told = during(server, list(zip(clients, questions)), landing, pages, 0)
        peak = server.peak()
        print(f"over {door}, {kind}: peak {peak / 1e6:.0f} MB; {told}", flush=True)
        if peak > bound:
            over.append(f"over {door}, {kind}: {peak / 1e6:.0f} MB")
        for client in (clients[0], client_of(server, door)):
            if load.ask(client, "select 40 + 2 as answer").rows() != [["42"]]:
                raise SystemExit("the server does not answer after the storm")
        for client in clients:
            client.close()
    print(f"resident afterwards: {server.resident() / 1e6:.0f} MB; both doors answer")
    if over:
        raise SystemExit(f"the server took more than {bound / 1e6:.0f} MB: {'; '.join(over)}")


def client_of(server, door):
    login = ("analyst", PASSWORD)
    return Http(server.http, lawpulse_sql, login) if door == "HTTP" else Wire(server.postgres, login)


def during(server, asked, landing, pages, seconds):
    """Asks all at once. Until they are answered, and for `seconds` at least, events land and pages are asked for."""
    outcomes, longest = collections.Counter(), [0.0, ""]
    pages_took = {path: load.Found() for path in pages}
    started = time.monotonic()
    open_questions = {client for client, _ in asked}
    landing.delays.clear()

    def goes_on():
        return open_questions or time.monotonic() < started + seconds

    def took(client, question, taken, answer):
        if client in open_questions:
            open_questions.discard(client)
            outcomes[outcome_of(answer, question)] += 1
            longest[:] = max(longest, [taken, question])
        elif client is landing.client:
            landing.took_push(answer)
        elif client is landing.status:
            landing.took_status(answer)
        elif answer.error:
            raise SystemExit(f"{question} was answered {answer.error} during the storm")
        else:
            pages_took[question].milliseconds.append(1000 * taken)

    paced = {landing.client: (landing.pushes(), EVERY), landing.status: (itertools.repeat("/api/v1/status"), 0.1)}
    paced.update({client: (itertools.repeat(path), 0.1) for path, client in pages.items()})
    load.paced_loop(asked, paced, goes_on, took)
    heavy = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    told = [f"{heavy}, the last after {longest[0]:.1f} s"] if heavy else []
    told += [
        f"{path} p50 {found.percentile(0.5):.1f}, p99 {found.percentile(0.99):.1f} ms of {len(found.milliseconds)}"
        for path, found in pages_took.items()
    ]
    landing.settle()
    delays = sorted(landing.delays)
    told.append(f"{len(delays)} pushes landed, after {delays[len(delays) // 2]:.1f} s, {delays[-1]:.1f} s at most")
    return "; ".join(told)


def outcome_of(answer, question):
    if not answer.error:
        return "answered"
    # A result that is too large breaks off after its status has been sent.
    if answer.error == "broken off" and question.startswith("select event_id"):
        return "broken off (rows)"
    if answer.error not in REFUSALS or not answer.message:
        raise SystemExit(f"{question}\nwas answered {answer.error}: {answer.message}")
    return f"{answer.error} ({REFUSALS[answer.error]})"
