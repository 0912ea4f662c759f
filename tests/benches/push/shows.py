"""The time from the acknowledgement of an event until it shows: in SQL, in a metric of the API, in /metrics."""

import json
import shutil
import time

import load
from asking import Desk, Looker, Pusher, drive
from bodies import DAY, Body, Ledger, Source
from clients import lawpulse_sql, page
from servers import HANGS, start_lawpulse

PROBES = 30
# The seconds between two probes, so that they meet a landing at any stage, and between two looks.
EVERY, LOOK_EVERY = 1.0, 0.1
TARGET = 10.0
PUSHERS = 8
# What others push: events in a body, and the seconds between two bodies of a client. Nothing; more than any platform has;
# as many bodies, and as many events, as are acknowledged.
LOADS = (
    ("nothing else", None, 0),
    ("8 × 100 events/s", 100, 1),
    ("8 × 1 event/body, no pause", 1, 0),
    ("8 × 100 events/body, no pause", 100, 0),
)
PLACES = ("SQL", "metric", "/metrics")
WHAT_IS_MEASURED = f"""\
# {PROBES} probes, {EVERY:g} s apart: patrols of one unit, a body each, while {PUSHERS} other clients push. From a probe's
#   acknowledgement until an answer has it: of SQL that asks for the probe's id, of the API's metric `patrols` for the unit and
#   month, and of /metrics, which is computed in the background. Each place is asked {LOOK_EVERY:g} s after its last answer, so
#   that the asking, and up to {LOOK_EVERY:g} s, are in the figures. Target: p95 under {TARGET:g} s in SQL and the metric.
# `pushed/s`: events that the others had acknowledged meanwhile; `landed after`: until all of them are in the lake as well."""


class Probes:
    """Patrols of one unit, which nobody else pushes, and when each was acknowledged and seen where."""

    def __init__(self, server, desk, org, name):
        self.org, self.name = org, name
        self.ledger = Ledger()
        self.acknowledged = {}
        self.seen = {place: {} for place in PLACES}
        day = f"event_date = '{DAY}' and org_id = '{org}'"
        self.sql = f"select event_id from events where {day} and event_id like '{name}-%'"
        self.metric = f"/api/v1/metrics/patrols?from={DAY:%Y-%m}-01&to={DAY.year + 1}-01-01&grain=month&scope={org}"
        self.before = self.count(desk.page(self.metric))
        self.sampled_before = self.sampled(desk.page("/metrics"))
        self.askers = [
            Pusher(server, self.body, self.took, pause=EVERY),
            Looker(server, lawpulse_sql, self.while_open("SQL", self.sql), LOOK_EVERY, self.took_sql),
            Looker(server, page, self.while_open("metric", self.metric), LOOK_EVERY, self.took_metric),
            Looker(server, page, self.while_open("/metrics", "/metrics"), LOOK_EVERY, self.took_samples),
        ]

    def body(self):
        number = len(self.acknowledged)
        if number == PROBES:
            return None
        event_id = f"{self.name}-{number:08}-000"
        event = {
            "event_id": event_id,
            "event_type": "patrol.recorded",
            "occurred_at": f"{DAY}T10:00:00+08:00",
            "org_id": self.org,
            "officer_ids": ["officer-0000001", "officer-0000002"],
            "object_id": event_id,
        }
        return Body(event_id[:-4], number, 1, json.dumps(event).encode())

    def took(self, body, _, answer):
        again = self.ledger.took(body, answer)
        if again is None:
            self.acknowledged[body.number] = time.monotonic()
        return again

    def while_open(self, place, question):
        """Asks only while something is to be seen."""
        return lambda: question if len(self.seen[place]) < len(self.acknowledged) else None

    def took_sql(self, _, answer):
        for row in json.loads(answer.body)["rows"]:
            self.see("SQL", int(row["event_id"].split("-")[1]))

    def took_metric(self, _, answer):
        self.see_first("metric", self.count(answer.body) - self.before)

    def took_samples(self, _, answer):
        self.see_first("/metrics", self.sampled(answer.body) - self.sampled_before)

    def see_first(self, place, patrols):
        """A number does not say which patrols it has: they land in the order in which they were acknowledged."""
        for number in range(patrols):
            self.see(place, number)

    def see(self, place, number):
        # What is seen before its acknowledgement is heard took no time.
        acknowledged = self.acknowledged.get(number, time.monotonic())
        self.seen[place].setdefault(number, time.monotonic() - acknowledged)

    def count(self, answer):
        rows = json.loads(answer)["rows"]
        return int(rows[0]["value"] or 0) if rows else 0

    def sampled(self, text):
        at = text.find(f'\npatrols_total{{scope="{self.org}"'.encode())
        return int(float(text[at + 1 :].split(b"\n", 1)[0].rsplit(b" ", 1)[1])) if at >= 0 else 0

    def is_open(self):
        return len(self.acknowledged) < PROBES or any(len(seen) < PROBES for seen in self.seen.values())


def shows(lawpulse, work, orgs, lakes):
    """Prints how long it takes; returns whether the target is met."""
    print(f"\n# until it shows\n{WHAT_IS_MEASURED}")
    seconds = f"{'p50 s':>6} {'p95 s':>6} {'max s':>6}"
    print(
        f"{'lake':<22} {'others push':<30} {'place':<9} {seconds}  {'target':<9} {'pushed/s':>9} {'landed after':>12}"
    )
    is_met = True
    for lake, name in lakes:
        for number, (what, size, pause) in enumerate(LOADS):
            shutil.rmtree(f"{work}/shown", ignore_errors=True)
            shutil.copytree(lake, f"{work}/shown")
            server = start_lawpulse(lawpulse, work, "shown")
            try:
                desk = Desk(server)
                desk.wait_until_measured()
                source = Source("push", size, orgs[1:], seed=number) if size else None
                is_met &= probed(server, desk, orgs[0], source, pause, f"{name:<22} {what:<30}")
            finally:
                server.stop()
    shutil.rmtree(f"{work}/shown")
    return is_met


def probed(server, desk, org, source, pause, name):
    before = desk.status()["events"]
    probes, ledger = Probes(server, desk, org, "probe"), Ledger()

    def took(body, _, answer):
        return ledger.took(body, answer)

    pushers = [Pusher(server, source.next, took, pause=pause) for _ in range(PUSHERS)] if source else []
    started = time.monotonic()

    def goes_on():
        if time.monotonic() > started + PROBES * EVERY + HANGS:
            unseen = {place: PROBES - len(seen) for place, seen in probes.seen.items()}
            raise SystemExit(f"{name.strip()}: so many are not seen {HANGS} s after the last: {unseen}")
        return probes.is_open()

    drive([*pushers, *probes.askers], goes_on)
    ended = time.monotonic()
    desk.wait_for_events(before + PROBES + ledger.events)
    landed = time.monotonic() - ended
    probes.ledger.check_landed(desk.row, "probe")
    if source:
        ledger.check_landed(desk.row, source.name)
    is_met = True
    for place in PLACES:
        found = load.Found(milliseconds=[1000 * seconds for seconds in probes.seen[place].values()])
        p50, p95, most = (found.percentile(part) / 1000 for part in (0.5, 0.95, 1))
        told = "–" if place == "/metrics" else "met" if p95 < TARGET else "MISSED"
        is_met &= told != "MISSED"
        rest = f"{ledger.events / (ended - started):9,.0f} {landed:10.1f} s" if place == PLACES[0] else ""
        print(f"{name} {place:<9} {p50:6.1f} {p95:6.1f} {most:6.1f}  {told:<9} {rest}".rstrip(), flush=True)
        name = " " * len(name)
    return is_met
