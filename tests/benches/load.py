"""Closed loops of clients, and what they found."""

import collections
import itertools
import math
import random
import selectors
import time
from dataclasses import dataclass, field

from servers import HANGS

WARM_UP = 2
# The seconds after which a query hangs that has to be refused after 30.
STORM_HANGS = 300


@dataclass
class Found:
    """The answers of some clients."""

    seconds: float = 0.0
    milliseconds: list = field(default_factory=list)
    errors: collections.Counter = field(default_factory=collections.Counter)
    server_cpu: float = 0.0
    client_cpu: float = 0.0

    @property
    def asked(self):
        return len(self.milliseconds) + self.errors.total()

    def percentile(self, part):
        found = sorted(self.milliseconds)
        return found[math.ceil(part * len(found)) - 1] if found else math.nan

    def line(self):
        errors = ", ".join(f"{count} × {error}" for error, count in sorted(self.errors.items())) or "none"
        return (
            f"{self.percentile(0.5):9.1f} {self.percentile(0.99):9.1f} {len(self.milliseconds) / self.seconds:10.1f} "
            f"{1000 * self.server_cpu / max(self.asked, 1):10.1f} {100 * self.client_cpu / self.seconds:8.0f} "
            f"{len(self.milliseconds):9}  {errors}"
        )


HEADER = f"{'p50 ms':>9} {'p99 ms':>9} {'answers/s':>10} {'CPU ms':>10} {'client %':>8} {'answers':>9}  errors"


class Loop:
    """Clients that wait for their answers; `took(client, question, seconds, answer)` hears of each."""

    def __init__(self, took):
        self.selector = selectors.DefaultSelector()
        self.asked = {}
        self.took = took

    def ask(self, client, question):
        self.asked[client] = (question, time.monotonic())
        client.ask(question)
        self.selector.register(client.fileno(), selectors.EVENT_READ, client)

    def answered(self, timeout):
        """The clients that have their answers now."""
        done = []
        for key, _ in self.selector.select(timeout):
            client = key.data
            answer = client.receive()
            if answer is None:
                continue
            self.selector.unregister(key.fileobj)
            question, since = self.asked.pop(client)
            self.took(client, question, time.monotonic() - since, answer)
            done.append(client)
        return done


def loop(clients, questions, until, took):
    """Each client asks as soon as it has its answer, until a moment; then the last answers are waited for."""
    waiting = Loop(took)
    for client in clients:
        waiting.ask(client, next(questions[client]))
    heard = time.monotonic()
    while waiting.asked:
        done = waiting.answered(1)
        now = time.monotonic()
        heard = now if done else heard
        if now > heard + HANGS:
            raise SystemExit(f"nothing was answered for {HANGS} s")
        if now < until:
            for client in done:
                waiting.ask(client, next(questions[client]))


def paced_loop(once, paced, goes_on, took):
    """Some ask one question each, at once; others ask all the while, a pause after each answer."""
    waiting = Loop(took)
    for client, question in once:
        waiting.ask(client, question)
    due = dict.fromkeys(paced, 0.0)
    gives_up = time.monotonic() + STORM_HANGS
    while goes_on() or waiting.asked:
        now = time.monotonic()
        if now > gives_up:
            open_questions = {question for question, _ in waiting.asked.values()}
            raise SystemExit("\n".join([f"not answered within {STORM_HANGS} s:", *open_questions]))
        for client, (questions, pause) in paced.items():
            if client not in waiting.asked and now >= due[client] and goes_on():
                due[client] = now + pause
                waiting.ask(client, next(questions))
        waiting.answered(0.02)


def measure(server, clients, questions, seconds, expected=None):
    """Warms up, then measures. `expected` holds what each question has to be answered with."""
    endless = {
        client: itertools.cycle(random.Random(number).sample(questions, len(questions)))
        for number, client in enumerate(clients)
    }
    loop(clients, endless, time.monotonic() + min(WARM_UP, seconds), lambda *_: None)
    found = Found()

    def took(_, question, taken, answer):
        if answer.error:
            found.errors[answer.error] += 1
            return
        found.milliseconds.append(taken * 1000)
        if expected and answer.digest != expected[question]:
            raise SystemExit(f"{server.name} answered differently under load: {question}")

    started, server_cpu, client_cpu = time.monotonic(), server.cpu_seconds(), time.process_time()
    loop(clients, endless, started + seconds, took)
    found.seconds = time.monotonic() - started
    found.server_cpu = server.cpu_seconds() - server_cpu
    found.client_cpu = time.process_time() - client_cpu
    return found


def ask(client, question):
    """One question, one answer."""
    answers = []
    loop([client], {client: iter([question])}, 0, lambda *took: answers.append(took[-1]))
    return answers[0]
