"""Servers that take events over HTTP as well, and have synced them to disk when they acknowledge."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from bodies import NUMBER, json_line
from servers import Server, answers, free_port, until

# The first digits of a time in nanoseconds, which a body's number and a line's number make whole: a moment of 2025-12-31.
NANOSECONDS = "17671680"
COLUMNS = (
    "event_id",
    "event_type",
    "occurred_at",
    "received_at",
    "org_id",
    "officer_ids",
    "object_id",
    "party_id",
    "item_code",
    "channel",
    "attributes",
)


class Datasette:
    """Rows as JSON over HTTP into SQLite."""

    name = "Datasette"
    what_it_does = """\
# Datasette 1.0a41 with the same events as JSON: SQLite in WAL mode with `synchronous` full, `event_id` as the key; rows that are
#   there already are ignored. One thread writes. It judges nothing and keeps no rejects; an acknowledged row is in the table at
#   once. It does not say whether a body was there before: p50 and p99 are of all."""
    line_of = staticmethod(json_line)

    def start(self, work):
        """With an empty table."""
        for old in Path(work).glob("datasette.db*"):
            old.unlink()
        with contextlib.closing(sqlite3.connect(f"{work}/datasette.db")) as database:
            # One sync for each write, not several.
            database.execute("pragma journal_mode = wal")
            columns = ", ".join(f"{column} text" for column in COLUMNS)
            database.execute(f"create table events ({columns}, primary key (event_id))")
        config = Path(work, "datasette.yaml")
        config.write_text("databases:\n  datasette:\n    permissions:\n      insert-row: true\n")
        port = free_port()
        datasette = Path(sys.executable).with_name("datasette")
        options = ["-c", config, "-p", str(port), "--setting", "max_insert_rows", "1000"]
        # It logs each request, and no setting stops it.
        server = Server(self.name, [datasette, "serve", f"{work}/datasette.db", *options], subprocess.DEVNULL, port)
        until("Datasette answers", lambda: answers(f"http://127.0.0.1:{port}/-/versions.json"))
        return server

    def request_of(self, body):
        rows = body.lines[:-1].replace(b"\n", b",")
        return "/datasette/events/-/insert", b'{"ignore":true,"rows":[' + rows + b"]}"

    def holds(self, _server, work):
        with contextlib.closing(sqlite3.connect(f"{work}/datasette.db")) as database:
            ((events,),) = database.execute("select count(*) from events")
        return events


class InfluxDb:
    """Points in a format of its own over HTTP, into a write-ahead log and a cache."""

    name = "InfluxDB"
    what_it_does = """\
# InfluxDB 1.6.7 (Debian 12) with the same events in its line protocol: unit and type as tags, everything else as fields, each
#   event a nanosecond of its own, which is the key. It syncs its log before it acknowledges (`wal-fsync-delay = 0s`, its
#   default). It reads no JSON, judges nothing and keeps no rejects; an acknowledged point is seen at once. It does not say
#   whether a body was there before: p50 and p99 are of all."""

    def __init__(self, program):
        self.program = program

    @staticmethod
    def line_of(event, number):
        tags = ",".join(f"{key}={event[key]}" for key in ("org_id", "event_type"))
        fields = {key: value for key, value in event.items() if key not in ("org_id", "event_type")}
        texts = {
            key: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            for key, value in fields.items()
        }
        written = ",".join(f"{key}={json.dumps(text)}" for key, text in texts.items())
        return f"events,{tags} {written} {NANOSECONDS}{NUMBER}{number:03}\n".encode()

    def start(self, work):
        """With an empty database."""
        folder = Path(work, "influxdb")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        port = free_port()
        config = folder / "influxdb.toml"
        config.write_text(
            f"""reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
"""
        )
        with open(folder / "influxdb.log", "w") as log:
            server = Server(self.name, [self.program, "-config", config], log, port)
        until("InfluxDB answers", lambda: answers(f"http://127.0.0.1:{port}/query?q=show+databases"))
        made = urllib.request.Request(f"http://127.0.0.1:{port}/query?q=create+database+bench", method="POST")
        urllib.request.urlopen(made).close()
        return server

    def request_of(self, body):
        return "/write?db=bench", body.lines

    def holds(self, server, _work):
        asked = urllib.parse.urlencode({"db": "bench", "q": "select count(event_id) from events"})
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http}/query?{asked}") as answer:
            return json.load(answer)["results"][0]["series"][0]["values"][0][1]
