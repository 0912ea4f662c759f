"""Bodies of events, and what the server has acknowledged of them."""

import collections
import csv
import datetime
import json
import random
from dataclasses import dataclass

# Lines that differ: bodies are cut from them, one after the other, and marked so that every event is another.
LINES = 1_000
MARK, NUMBER = "@MARK@", "@NUMBER@"
# The digits of a body's number.
DIGITS = 8
# The last day before the present of the servers; nine of ten events are of it, the others of the month before.
DAY = datetime.date(2025, 12, 31)
# One body of so many is sent twice.
REPEATED = 4


@dataclass(frozen=True)
class Body:
    """What is pushed under one key."""

    key: str
    number: int
    events: int
    lines: bytes


def units(folder):
    """The units that have none under them: the first is kept for the probes."""
    with open(f"{folder}/log/reference/orgs.csv") as file:
        orgs = list(csv.DictReader(file))
    parents = {org["parent_id"] for org in orgs}
    return sorted(org["org_id"] for org in orgs if org["org_id"] not in parents)


def event(number, dice, org):
    """Like the events that are simulated: half of them logins and logouts, the others inspections and patrols."""
    kind = dice.choice(
        ["officer.login", "officer.logout", "patrol.recorded", "inspection.started", "inspection.finished"]
    )
    day = DAY if dice.random() < 0.9 else DAY - datetime.timedelta(dice.randint(1, 30))
    seconds = dice.randint(8 * 3600, 18 * 3600)
    officers = sorted({f"officer-{dice.randint(1, 50_000):07}" for _ in range(1 if kind.startswith("officer") else 2)})
    found = {
        "event_id": f"{MARK}-{number:03}",
        "event_type": kind,
        "occurred_at": f"{day}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}+08:00",
        "received_at": f"{DAY}T19:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}+08:00",
        "org_id": org,
        "officer_ids": officers,
        "channel": "app",
    }
    if kind == "patrol.recorded":
        found |= {"object_id": f"patrol-{MARK}-{number:03}", "attributes": {"result": "none"}}
    elif kind.startswith("inspection"):
        found |= {
            "object_id": f"insp-{MARK}-{number:03}",
            "party_id": f"party-{dice.randint(0, 999):06}",
            "item_code": f"item-{dice.randint(0, 199):04}",
            "attributes": {"kind": "routine", "party_kind": "firm", "result": "no_problem", "double_random": False},
        }
    return found


def json_line(event, _number):
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


class Source:
    """Bodies without end, no event of which has been before."""

    def __init__(self, name, size, orgs, seed=1, line_of=json_line):
        """The name keeps the events of several sources apart; `line_of(event, number)` writes an event."""
        dice = random.Random(seed)
        self.name, self.size = name, size
        lines = [line_of(event(number, dice, dice.choice(orgs)), number) for number in range(LINES)]
        self.cuts = [b"".join(lines[at : at + size]) for at in range(0, LINES, size)]
        self.made = 0

    @property
    def bytes_per_event(self):
        return sum(map(len, self.cuts)) / LINES

    def next(self):
        number, self.made = self.made, self.made + 1
        digits = f"{number:0{DIGITS}}"
        mark = f"{self.name}-{digits}"
        lines = self.cuts[number % len(self.cuts)].replace(MARK.encode(), mark.encode())
        return Body(mark, number, self.size, lines.replace(NUMBER.encode(), digits.encode()))


class Ledger:
    """What has become of the bodies. Each that was acknowledged has to be in the lake, once."""

    def __init__(self):
        self.acknowledged = {}
        self.new = collections.Counter()
        self.refused = 0
        self.repeated = 0

    def took(self, body, answer):
        """Notes an answer. Returns the seconds after which the body is to be sent again, `None` if it was taken."""
        if answer.error == "429":
            self.refused += 1
            if not answer.retry_after:
                raise SystemExit(f"a push was refused without a time to come back: {answer.message}")
            return answer.retry_after
        if answer.error:
            raise SystemExit(f"a push of {body.events} events was answered {answer.error}: {answer.message}")
        judged = json.loads(answer.body)
        if judged["accepted"] != body.events or judged["rejected_count"]:
            raise SystemExit(f"of {body.events} events {judged['accepted']} were accepted: {judged['rejected'][:3]}")
        self.acknowledge(body)
        self.new[body.key] += not judged["known"]
        return None

    def acknowledge(self, body):
        self.repeated += body.key in self.acknowledged
        self.acknowledged[body.key] = body

    @property
    def events(self):
        """The events that have to be in the lake."""
        return sum(body.events for body in self.acknowledged.values())

    def check_known(self):
        """Of all answers about a body exactly one said that it was new."""
        wrong = [key for key in self.acknowledged if self.new[key] != 1]
        if wrong:
            raise SystemExit(f"{len(wrong)} bodies were not new exactly once, {wrong[0]} {self.new[wrong[0]]} times")

    def check_landed(self, ask, name):
        """Compares with the lake, body by body. `ask(sql)` gives the first row of an answer."""
        self.check_known()
        # The log, not its newest revisions: what had landed twice would show.
        found = ask(
            f"""select count(*) as bodies, coalesce(sum(number), 0) as numbers, coalesce(sum(n), 0) as lines,
                       coalesce(min(n), 0) as least, coalesce(max(n), 0) as most,
                       coalesce(min(ids), 0) as least_ids
                from (select cast(substr(event_id, {len(name) + 2}, {DIGITS}) as bigint) as number, count(*) as n,
                             count(distinct event_id) as ids
                      from event_log where event_id like '{name}-%' group by 1)"""
        )
        events = ask(f"select count(*) as events from events where event_id like '{name}-%'")
        bodies = self.acknowledged.values()
        sizes = [body.events for body in bodies] or [0]
        expected = [len(bodies), sum(body.number for body in bodies), sum(sizes), min(sizes), max(sizes), min(sizes)]
        if found != expected or events != [self.events]:
            raise SystemExit(
                f"the lake does not hold what was acknowledged: bodies, their numbers, lines, fewest and most a body, "
                f"fewest ids: {found}, expected {expected}; events {events}, expected {self.events}"
            )
