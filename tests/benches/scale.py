"""Times landing, refreshing and asking at several sizes, and draws what grows.

usage: scale.py LAWPULSE FOLDER --officers N --orgs N --districts N EVENTS…

Adds to FOLDER/results.json, a line a size, and draws FOLDER/scale.svg of all that are there.
"""

import argparse
import datetime
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request

# Whoever ends the bench ends its server too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

# A log in Parquet and the lake made of it, and something to spare.
BYTES_AN_EVENT = 100
# New events on a lake that is there: of its last days.
NEW_EVENTS, NEW_DAYS = 10_000, 2
# What the dashboards ask about the whole tree: name, metric, how it is cut, days.
QUESTIONS = [
    ("activity of a month", "officer_activity_ratio", "all", 31),
    ("officers active in 17 days", "officers_active", "all", 17),
    ("activity, month by month", "officer_activity_ratio", "month", 366),
    ("inspections, month by month", "inspections", "month", 366),
    ("cases closed, month by month", "cases_closed", "month", 366),
    ("open cases, month by month", "cases_open", "month", 366),
    ("patrols of a year", "patrols", "all", 366),
]
END = datetime.date(2025, 12, 20)
# How lawpulse writes how long something took.
UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}


def size_of(folder):
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)


def gauge(text, name):
    """A number of `/metrics`."""
    return float(re.search(rf"^{name} ([\d.e+-]+)", text, re.MULTILINE)[1])


class Bench:
    def __init__(self, lawpulse, work, platform):
        self.lawpulse, self.work, self.platform = lawpulse, work, platform

    def run(self, *arguments):
        """Runs lawpulse; returns seconds, peak of its memory in bytes, and what it logged."""
        started = time.monotonic()
        env = {**os.environ, "LAWPULSE_LOG": "info,pipeline=debug"}
        process = subprocess.Popen(
            [self.lawpulse, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env
        )
        told = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"lawpulse {' '.join(arguments)[:200]} failed:\n{told[-2000:]}")
        return time.monotonic() - started, usage.ru_maxrss * 1024, told

    def land(self, files):
        _, peak, told = self.run("land", "--lake", f"{self.work}/lake", *files)
        took = {
            what: float(number) * UNITS[unit]
            for what, number, unit in re.findall(r"(landing|refreshing) took ([\d.]+)(µs|ms|s)", told)
        }
        return took["landing"], took.get("refreshing", 0.0), peak

    def measure(self, events):
        log, lake = f"{self.work}/scale-log", f"{self.work}/lake"
        for folder in (log, lake):
            shutil.rmtree(folder, ignore_errors=True)
        self.run(
            "simulate",
            "--profile",
            "scale",
            "--format",
            "parquet",
            "--events",
            str(events),
            "--out",
            log,
            *self.platform,
        )
        self.run("land", "--lake", lake, "--source", "reference", f"{log}/reference")
        result = {"platform": " ".join(self.platform), "events": events}
        files = sorted(glob.glob(f"{log}/events-*"))
        result["landing_s"], result["refreshing_s"], result["landing_peak"] = self.land(files)
        shutil.rmtree(log)
        result["lake_bytes"], result["events_bytes"] = size_of(lake), size_of(f"{lake}/events")
        result |= self.grow()
        return result | self.serve(lake)

    def grow(self):
        """Lands new events of the last days, of every type."""
        new = f"{self.work}/new.ndjson"
        sql = (
            "select concat('new-', event_id) as event_id, event_type, occurred_at, received_at, org_id, officer_ids, object_id, party_id,"
            f" item_code, channel, attributes from events where event_month = '2025-12' and event_date >= date '2025-12-31' - {NEW_DAYS - 1}"
            f" order by md5(event_id) limit {NEW_EVENTS}"
        )
        rows = subprocess.run(
            [self.lawpulse, "sql", "--lake", f"{self.work}/lake", "--format", "json", sql],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rows = [json.loads(line) for line in rows.splitlines()] if rows.lstrip().startswith("{") else json.loads(rows)
        with open(new, "w") as lines:
            for row in rows:
                row["attributes"] = json.loads(row["attributes"]) if row.get("attributes") else None
                lines.write(
                    json.dumps({key: value for key, value in row.items() if value is not None}, ensure_ascii=False)
                    + "\n"
                )
        landing, refreshing, _ = self.land([new])
        return {"new_events": len(rows), "new_landing_s": landing, "new_refreshing_s": refreshing}

    def definitions(self):
        """The shipped ones; without goals where there are many districts, for those are the goals of one."""
        if self.platform[-1] == "1":
            return []
        goals = f"{self.work}/sql/goals"
        os.makedirs(goals, exist_ok=True)
        with open(f"{goals}/2025.toml", "w") as file:
            file.write('year = 2025\ntitle_zh = "无"\ntitle_en = "None"\ngoal = []\n')
        return ["--sql", f"{self.work}/sql"]

    def serve(self, lake):
        started = time.monotonic()
        doors = ["--http", "127.0.0.1:0", "--postgres", "127.0.0.1:0"]
        server = subprocess.Popen(
            [self.lawpulse, "serve", "--lake", lake, *doors, "--as-of", "2026-01-01T00:30:00Z", *self.definitions()],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LAWPULSE_LOG": "warn"},
        )
        try:
            base = server.stdout.readline().split()[-1].rstrip("/")
            get = lambda path: urllib.request.urlopen(base + path).read()
            found = {"ready_s": time.monotonic() - started}
            # What is computed after a landing, and before anybody asks, is over before anything is timed.
            for done in (b"\nlawpulse_watching_seconds", b"\nlawpulse_looking_ahead_seconds"):
                while done not in get("/metrics"):
                    time.sleep(0.5)
            began = time.monotonic()
            text = get("/metrics").decode()
            found["metrics_ms"] = (time.monotonic() - began) * 1000
            found["measuring_s"] = gauge(text, "lawpulse_measuring_seconds")
            found["watching_s"] = gauge(text, "lawpulse_watching_seconds")
            found["looking_ahead_s"] = gauge(text, "lawpulse_looking_ahead_seconds")
            found["series"] = sum(1 for line in text.splitlines() if line and not line.startswith("#"))
            found["questions_ms"] = {}
            for name, metric, grain, days in QUESTIONS:
                taken = []
                # The first makes itself at home; each of the others is about days that nobody has asked about yet.
                for back in range(6):
                    end = END - datetime.timedelta(7 * back)
                    query = {"from": str(end - datetime.timedelta(days)), "to": str(end), "grain": grain}
                    began = time.monotonic()
                    get(f"/api/v1/metrics/{metric}?{urllib.parse.urlencode(query)}")
                    taken.append((time.monotonic() - began) * 1000)
                found["questions_ms"][name] = statistics.median(taken[1:])
            found |= self.push(base, get)
            with open(f"/proc/{server.pid}/status") as status:
                memory = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status.read()))
            return found | {"server_bytes": int(memory["VmRSS"]) * 1024, "server_peak": int(memory["VmHWM"]) * 1024}
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()

    def push(self, base, get):
        """Pushes the new events to a running server once more, as others, and waits until its numbers have followed."""
        now = lambda name: gauge(get("/metrics").decode(), name)
        with open(f"{self.work}/new.ndjson", "rb") as lines:
            body = lines.read().replace(b'"event_id": "new-', b'"event_id": "pushed-')
        before = now("lawpulse_lake_version"), now("lawpulse_measured_timestamp_seconds")
        computed = now("lawpulse_numbers_computed_total")
        began = time.monotonic()
        request = urllib.request.Request(
            f"{base}/api/v1/events?source=native", data=body, headers={"Content-Type": "application/x-ndjson"}
        )
        urllib.request.urlopen(request).read()
        while now("lawpulse_lake_version") == before[0]:
            time.sleep(0.02)
        seen = time.monotonic() - began
        while now("lawpulse_measured_timestamp_seconds") == before[1]:
            time.sleep(0.02)
        found = {
            "pushed_seen_s": seen,
            "pushed_measured_s": time.monotonic() - began,
            "measuring_again_s": now("lawpulse_measuring_seconds"),
        }
        return found | {"computed_again": (now("lawpulse_numbers_computed_total") - computed) / computed}


def table(results):
    """The figures, a column a size."""
    yield "| | " + " | ".join(f"{result['events'] / 1e6:,.0f} million" for result in results) + " |"
    yield "|---" * (len(results) + 1) + "|"
    rows = [
        ("landing", lambda it: f"{it['landing_s']:.1f} s, {it['events'] / it['landing_s'] / 1e6:.2f} million a second"),
        (
            "rollups of a new lake",
            lambda it: f"{it['refreshing_s']:.1f} s, {it['refreshing_s'] / it['events'] * 1e6:.2f} s a million",
        ),
        ("peak memory of both", lambda it: f"{it['landing_peak'] / 1e9:.1f} GB"),
        (
            "the lake; its events alone",
            lambda it: f"{it['lake_bytes'] / 1e6:,.0f} MB; {it['events_bytes'] / it['events']:.0f} bytes each",
        ),
        (
            "new events of two days: landed, rollups",
            lambda it: f"{it['new_events']:,}: {it['new_landing_s']:.2f} s, {it['new_refreshing_s']:.2f} s",
        ),
        ("the server answers after", lambda it: f"{it['ready_s']:.1f} s"),
        (
            "memory of the server (peak)",
            lambda it: f"{it['server_bytes'] / 1e9:.1f} GB ({it['server_peak'] / 1e9:.1f})",
        ),
        ("every metric computed for `/metrics`", lambda it: f"{it['measuring_s']:.1f} s, {it['series']:,} series"),
        (
            "the same events pushed: their numbers are seen, and `/metrics` has all after",
            lambda it: f"{it['pushed_seen_s']:.1f} s, {it['pushed_measured_s']:.1f} s",
        ),
        ("goals (of a district) and checks, in the background", lambda it: f"{it['watching_s']:.0f} s"),
        ("months that nobody has asked about, in the background", lambda it: f"{it['looking_ahead_s']:.0f} s"),
        ("`/metrics` answers in", lambda it: f"{it['metrics_ms']:.0f} ms"),
    ]
    rows += [(name, lambda it, name=name: f"{it['questions_ms'][name]:.0f} ms") for name, *_ in QUESTIONS]
    for name, cell in rows:
        yield f"| {name} | " + " | ".join(known(cell, result) for result in results) + " |"


def known(cell, result):
    """A figure, or nothing where an earlier run did not measure it."""
    try:
        return cell(result)
    except KeyError:
        return ""


# Colours that the colour-blind tell apart (Okabe and Ito), and marks besides.
STYLES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]


def draw(results, file):
    """Both axes are logarithmic: what is flat costs the same whatever the size, what rises by one step a step grows with it."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures make the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "lawpulse", "font.family": "sans-serif"})
    import matplotlib.pyplot as plot

    sizes = [result["events"] for result in results]
    lines = [
        ("landing, all events", [result["landing_s"] for result in results]),
        ("rollups of a new lake", [result["refreshing_s"] for result in results]),
        ("rollups after new events of two days", [result["new_refreshing_s"] for result in results]),
        ("every metric for /metrics", [result["measuring_s"] for result in results]),
        (
            "activity of a month, whole tree",
            [result["questions_ms"]["activity of a month"] / 1000 for result in results],
        ),
        (
            "open cases, month by month",
            [result["questions_ms"]["open cases, month by month"] / 1000 for result in results],
        ),
    ]
    figure, axes = plot.subplots(figsize=(8, 4.5))
    for (name, seconds), colour, mark in zip(lines, STYLES, "osD^vP"):
        axes.plot(sizes, seconds, color=colour, marker=mark, label=name)
    axes.set(xscale="log", yscale="log", xlabel="events in the lake", ylabel="seconds")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lawpulse")
    parser.add_argument("work")
    for option in ("officers", "orgs", "districts"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("events", type=int, nargs="+")
    asked = parser.parse_args()
    platform = ["--officers", asked.officers, "--orgs", asked.orgs, "--districts", asked.districts]
    bench = Bench(asked.lawpulse, asked.work, platform)
    kept = pathlib.Path(asked.work, "results.json")
    results = json.loads(kept.read_bytes()) if kept.exists() else []
    for events in asked.events:
        free = shutil.disk_usage(asked.work).free
        if free < events * BYTES_AN_EVENT:
            print(
                f"# {events} events need about {events * BYTES_AN_EVENT / 1e9:.0f} GB, {free / 1e9:.0f} GB are free: left out",
                flush=True,
            )
            continue
        print(f"# {events} events, {' '.join(platform)}; load {os.getloadavg()[0]:.1f}", flush=True)
        result = bench.measure(events)
        results = [it for it in results if (it["platform"], it["events"]) != (result["platform"], events)] + [result]
        with kept.open("w") as file:
            json.dump(results, file, indent=1)
        print(json.dumps(result), flush=True)
    own = sorted((it for it in results if it["platform"] == " ".join(platform)), key=lambda it: it["events"])
    if own:
        print("\n".join(table(own)))
        draw(own, f"{asked.work}/scale.svg")


main()
