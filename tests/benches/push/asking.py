"""Askers that share one thread: each asks, hears, rests for as long as it has to, and asks again."""

import json
import time

import load
from clients import Http, lawpulse_sql, page
from servers import HANGS, PASSWORD, until

ADMIN = ("admin", PASSWORD)


def pushed(body):
    return "/api/v1/events?source=native", body.lines, f"Idempotency-Key: {body.key}"


class Pusher:
    """Sends bodies; one that was refused it sends again when it was told to."""

    def __init__(self, server, bodies, took, request_of=pushed, pause=0.0):
        """`bodies()` gives the next one, `took(body, seconds, answer)` the seconds after which to send it again."""
        self.client = Http(server.http, request_of, ADMIN)
        self.bodies, self.took, self.pause = bodies, took, pause
        self.refused = None
        self.due = 0.0

    def question(self):
        body, self.refused = self.refused or self.bodies(), None
        return body

    def heard(self, body, seconds, answer):
        again = self.took(body, seconds, answer)
        if again is not None:
            self.refused = body
        self.due = time.monotonic() + (self.pause if again is None else again)


class Looker:
    """Asks the same again and again, with a pause after each answer."""

    def __init__(self, server, request_of, question, pause, took):
        """`question()` may give `None`, to ask nothing this time; `took(question, answer)`."""
        self.client = Http(server.http, request_of, ADMIN)
        self.question, self.pause, self.took = question, pause, took
        self.due = 0.0

    def heard(self, question, _, answer):
        if answer.error:
            raise SystemExit(f"{question}\nwas answered {answer.error}: {answer.message}")
        self.took(question, answer)
        self.due = time.monotonic() + self.pause


def drive(askers, goes_on):
    """Lets them ask while `goes_on()`; then waits for the last answers."""
    asking = {}

    def took(client, question, seconds, answer):
        asker = asking.pop(client)
        asker.heard(question, seconds, answer)
        idle.append(asker)

    waiting, idle = load.Loop(took), list(askers)
    heard = time.monotonic()
    while True:
        going, now = goes_on(), time.monotonic()
        if not going and not asking:
            break
        if going:
            resting = []
            for asker in idle:
                question = asker.question() if asker.due <= now else None
                if question is None:
                    resting.append(asker)
                    continue
                asking[asker.client] = asker
                waiting.ask(asker.client, question)
            idle[:] = resting
        if waiting.answered(0.01) or not asking:
            heard = now
        if now > heard + HANGS:
            raise SystemExit(f"nothing was answered for {HANGS} s")
    for asker in askers:
        asker.client.close()


class Desk:
    """Asks a server one thing at a time."""

    def __init__(self, server):
        self.sql_client = Http(server.http, lawpulse_sql, ADMIN)
        self.page_client = Http(server.http, page, ADMIN)

    def sql(self, sql):
        """All rows."""
        answer = load.ask(self.sql_client, sql)
        if answer.error:
            raise SystemExit(f"{sql}\nwas answered {answer.error}: {answer.message}")
        return [list(row.values()) for row in json.loads(answer.body)["rows"]]

    def row(self, sql):
        return self.sql(sql)[0]

    def page(self, path):
        answer = load.ask(self.page_client, path)
        if answer.error:
            raise SystemExit(f"{path} was answered {answer.error}: {answer.message}")
        return answer.body

    def status(self):
        return json.loads(self.page("/api/v1/status"))

    def sample(self, name):
        """A number of /metrics that has no labels; `None` while it is not there."""
        for line in self.page("/metrics").decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        return None

    def wait_until_measured(self):
        """Measuring, goals and checks go on in the background after a start."""
        until("everything is measured", lambda: b"\ngoal_status" in self.page("/metrics"))

    def wait_for_events(self, events):
        """Waits until the lake holds so many; what stands still for long fails."""
        seen, since = None, time.monotonic()
        while True:
            now = self.status()["events"]
            if now >= events:
                return
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() > since + HANGS:
                raise SystemExit(f"{events} events were acknowledged, and no more than {now} have landed in {HANGS} s")
            time.sleep(0.05)
