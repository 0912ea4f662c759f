"""How much clients can push that never pause, until when it has landed, and what the disk would take."""

import collections
import glob
import itertools
import json
import os
import shutil
import threading
import time
from pathlib import Path

import load
from asking import Desk, Pusher, drive
from bodies import REPEATED, Ledger, Source
from servers import start_lawpulse

CLIENTS = (1, 8, 64)
SIZES = (1, 100, 1_000)
# An inbox that fills within the time of a run.
SMALL_INBOX = '[inbox]\nbytes = "64MB"\n'
HEADER = (
    f"{'clients':>7} {'events/body':>11} {'events/s':>10} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'refused':>8} "
    f"{'repeated':>8} {'CPU s':>6} {'client %':>8} {'peak MB':>8} {'landed after':>12} {'landed/s':>9} {'CPU s':>6}"
)
WHAT_IS_MEASURED = f"""\
# Each client sends the next body as soon as the last one is acknowledged, with an Idempotency-Key, over one kept connection.
# One body of {REPEATED} is sent twice, by whichever client is free, also while the first is on its way: `repeated`.
# events/s: acknowledged, each once. requests/s: all that were acknowledged. p50, p99: of the acknowledgements of new bodies.
# `refused`: 429; the client comes back after `Retry-After`. `landed after`: from the last acknowledgement until all is in the
#   lake and in its rollups. landed/s: events by the whole time. CPU s: the server's, up to the last acknowledgement, and up to
#   then. Peak: the server's memory, up to then.
# After each run the lake holds exactly what was acknowledged, body by body, or the bench stops. Each run has a lake of its own.
# Clients: one thread of Python for all; `client %` is its share of a core."""


def sustained(lawpulse, work, orgs, seconds, peers):
    print(f"\n# pushing, {seconds:g} s a row; events of {Source('x', 1, orgs).bytes_per_event:.0f} bytes")
    print(WHAT_IS_MEASURED)
    print(HEADER)
    remove_lakes(work)
    for size, clients in itertools.product(SIZES, CLIENTS):
        run(lawpulse, work, orgs, clients, size, seconds)
    print('# the same with an inbox of `bytes = "64MB"`, which refuses')
    run(lawpulse, work, orgs, CLIENTS[-1], SIZES[-1], seconds, SMALL_INBOX)
    for peer in peers:
        print(f"{peer.what_it_does}\n{HEADER}")
        for size, clients in itertools.product(SIZES, CLIENTS):
            run_peer(peer, work, orgs, clients, size, seconds)
    remove_lakes(work)


def remove_lakes(work):
    for lake in glob.glob(f"{work}/pushed-*/"):
        shutil.rmtree(lake)


def run(lawpulse, work, orgs, clients, size, seconds, settings=""):
    # It stays until the end: ext4 passes over the places of files that were removed in the last minutes, so that to remove
    # the lake of one run would slow the next one down.
    lake = f"pushed-{len(glob.glob(f'{work}/pushed-*/'))}"
    shutil.copytree(f"{work}/empty", f"{work}/{lake}")
    server = start_lawpulse(lawpulse, work, lake, settings)
    try:
        desk = Desk(server)
        desk.wait_until_measured()
        source, ledger, found = Source("push", size, orgs), Ledger(), load.Found()
        cpu = server.cpu_seconds()

        def took(body, taken, answer):
            if not answer.error and not json.loads(answer.body)["known"]:
                found.milliseconds.append(1000 * taken)
            return ledger.took(body, answer)

        push(server, found, source, clients, seconds, lambda bodies: Pusher(server, bodies, took))
        acknowledged = time.monotonic()
        desk.wait_for_events(ledger.events)
        landed_after, cpu = time.monotonic() - acknowledged, server.cpu_seconds() - cpu
        print_row(server, ledger, found, clients, size, landed_after, cpu)
        ledger.check_landed(desk.row, source.name)
    finally:
        server.stop()


def push(server, found, source, clients, seconds, pusher):
    """Lets clients push, each body anew or, one of some, again, and notes what that took."""
    again = collections.deque()

    def bodies():
        if again:
            return again.popleft()
        body = source.next()
        if body.number % REPEATED == 0:
            again.append(body)
        return body

    pushers = [pusher(bodies) for _ in range(clients)]
    server.forget_peak()
    started, cpu, client_cpu = time.monotonic(), server.cpu_seconds(), time.process_time()
    drive(pushers, lambda: time.monotonic() < started + seconds)
    found.seconds = time.monotonic() - started
    found.server_cpu, found.client_cpu = server.cpu_seconds() - cpu, time.process_time() - client_cpu


def print_row(server, ledger, found, clients, size, landed_after, cpu):
    requests = len(ledger.acknowledged) + ledger.repeated
    print(
        f"{clients:7} {size:11,} {ledger.events / found.seconds:10,.0f} {requests / found.seconds:10,.0f} "
        f"{found.percentile(0.5):8.1f} {found.percentile(0.99):8.1f} {ledger.refused:8} {ledger.repeated:8} "
        f"{found.server_cpu:6.1f} {100 * found.client_cpu / found.seconds:8.0f} {server.peak() / 1e6:8.0f} "
        f"{landed_after:10.1f} s {ledger.events / (found.seconds + landed_after):9,.0f} {cpu:6.1f}",
        flush=True,
    )


def run_peer(peer, work, orgs, clients, size, seconds):
    server = peer.start(work)
    try:
        source, ledger, found = Source("push", size, orgs, line_of=peer.line_of), Ledger(), load.Found()
        cpu = server.cpu_seconds()

        def took(body, taken, answer):
            found.milliseconds.append(1000 * taken)
            if answer.error:
                raise SystemExit(f"{peer.name} answered {answer.error}: {answer.message}")
            ledger.acknowledge(body)

        push(server, found, source, clients, seconds, lambda bodies: Pusher(server, bodies, took, peer.request_of))
        print_row(server, ledger, found, clients, size, 0, server.cpu_seconds() - cpu)
        if peer.holds(server, work) != ledger.events:
            raise SystemExit(f"{peer.name} acknowledged {ledger.events} events and holds {peer.holds(server, work)}")
    finally:
        server.stop()


def disk(work, orgs, seconds):
    """What the disk takes of the same bodies, by a program that does nothing else."""
    print(
        f"\n# the bound: Python that only writes and syncs, on the disk of {work}; syncs/s, and the events they would carry/s"
    )
    print("# `append`: one file, grows, fsync. `file each`: fsync, rename, fsync of the folder, as the inbox does")
    print(f"{'writers':>7} {'events/body':>11} {'append':>20} {'file each':>20}")
    folder = Path(work, "disk")
    for size, writers in itertools.product(SIZES, CLIENTS):
        cells = []
        for write in (append, file_each):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            bodies = written(write, folder, Source("disk", size, orgs), writers, seconds)
            cells.append(f"{bodies:9,.0f} {bodies * size:10,.0f}")
        print(f"{writers:7} {size:11,} {cells[0]:>20} {cells[1]:>20}", flush=True)
    shutil.rmtree(folder)


def written(write, folder, source, writers, seconds):
    """Bodies a second that so many threads bring to disk; they wait for it at once."""
    counts = [0] * writers
    until = time.monotonic() + seconds

    def work(number):
        one_more = write(folder, number)
        while time.monotonic() < until:
            one_more(source.next().lines)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)


def append(folder, number):
    file = os.open(folder / f"{number}", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def one_more(body):
        os.write(file, body)
        os.fsync(file)

    return one_more


def file_each(folder, number):
    directory = os.open(folder, os.O_RDONLY)
    names = iter(range(1_000_000_000))

    def one_more(body):
        name = folder / f"{number}-{next(names)}"
        file = os.open(f"{name}.partial", os.O_CREAT | os.O_WRONLY)
        os.write(file, body)
        os.fsync(file)
        os.close(file)
        os.rename(f"{name}.partial", name)
        os.fsync(directory)

    return one_more
