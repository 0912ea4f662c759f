"""The servers that are compared: started on free ports, watched through /proc, stopped by their ids."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

# The seconds after which something hangs that takes milliseconds.
HANGS = 120
STOPS = 30
IDLE_SECONDS, IDLE_SHARE = 4, 0.05
PASSWORD = "only-for-this-bench"
# The end of what is simulated.
AS_OF = "2026-01-01T00:30:00Z"
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A process with two doors."""

    def __init__(self, name, command, log, http=None, postgres=None):
        """A server that is not told its ports says them itself."""
        self.name = name
        output = subprocess.PIPE if http is None else log
        self.process = subprocess.Popen(command, stdout=output, stderr=log, text=True)
        self.http, self.postgres = http, postgres

    @property
    def proc(self):
        return Path(f"/proc/{self.process.pid}")

    def cpu_seconds(self):
        fields = (self.proc / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self, key="VmRSS"):
        for line in (self.proc / "status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
        raise SystemExit(f"{self.name} has ended")

    def peak(self):
        return self.resident("VmHWM")

    def forget_peak(self):
        (self.proc / "clear_refs").write_text("5")

    def wait_until_idle(self):
        """What was asked for may be done while something else goes on in the background; returns when nothing does."""
        since = time.monotonic()
        used = self.cpu_seconds()

        def is_idle():
            nonlocal since, used
            if self.cpu_seconds() - used > IDLE_SHARE * (time.monotonic() - since) + 1 / TICKS:
                since, used = time.monotonic(), self.cpu_seconds()
            return time.monotonic() > since + IDLE_SECONDS

        until(f"{self.name} is idle", is_idle)

    def stop(self):
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOPS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until(what, is_so, hangs=HANGS):
    """Waits for something that comes by itself; only what hangs fails here."""
    gives_up = time.monotonic() + hangs
    while not is_so():
        if time.monotonic() > gives_up:
            raise SystemExit(f"{what}: still not so after {hangs} s")
        time.sleep(0.1)


def answers(address):
    try:
        with urllib.request.urlopen(address) as answer:
            return answer.read()
    except (urllib.error.URLError, ConnectionError):
        return b""


def start_lawpulse(binary, work, lake="lake", settings=""):
    """Serves FOLDER/LAKE with accounts and otherwise the defaults, or the settings; returns when it listens."""
    accounts = f"{work}/{lake}.accounts.toml"
    Path(accounts).unlink(missing_ok=True)
    for name in ("analyst", "auditor", "admin"):
        command = [binary, "account", "add", name, "--role", name, "--accounts", accounts, "--password-stdin"]
        subprocess.run(command, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
    config = Path(work, f"{lake}.toml")
    config.write_text(f'lake = "{work}/{lake}"\naccounts = "{accounts}"\n{settings}')
    addresses = ["--http", "127.0.0.1:0", "--postgres", "127.0.0.1:0"]
    command = [binary, "serve", "--config", config, *addresses, "--as-of", AS_OF]
    with open(f"{work}/{lake}.log", "w") as log:
        server = Server("lawpulse", command, log)
    for line in server.process.stdout:
        words = line.split()
        if words[0] in ("API", "PostgreSQL"):
            port = int(words[-1].split(":")[2].split("/")[0])
            server.http, server.postgres = (port, server.postgres) if words[0] == "API" else (server.http, port)
        if words[0] == "Ctrl-C":
            break
    else:
        raise SystemExit(f"lawpulse did not start; see {log.name}")
    return server


def events_in(binary, lake):
    """How many events a lake holds, by its command line."""
    command = [binary, "sql", "--lake", lake, "--format", "json", "select count(*) as n from events"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)[0]["n"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_roapi(name, work, options):
    http, postgres, flight = free_port(), free_port(), free_port()
    config = Path(work, f"{name.replace(' ', '-')}.yml")
    config.write_text(f"tables:\n  - name: events\n    uri: {work}/lake/events\n    option: {options}\n")
    addresses = ["-a", f"127.0.0.1:{http}", "-p", f"127.0.0.1:{postgres}", "--addr-flight-sql", f"127.0.0.1:{flight}"]
    roapi = Path(sys.executable).with_name("roapi")
    with open(f"{work}/{config.stem}.log", "w") as log:
        # It writes two lines for each query; that is switched off in its favour.
        server = Server(name, ["env", "RUST_LOG=warn", roapi, "-c", config, *addresses], log, http, postgres)
    until(f"{name} answers", lambda: server.process.poll() is not None or answers(f"http://127.0.0.1:{http}/health"))
    if server.process.poll() is not None:
        raise SystemExit(f"{name} did not start; see {log.name}")
    return server
