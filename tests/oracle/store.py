"""An S3-compatible object store (moto's) with a second address at which it fails as stores do.

usage: store.py SEED [CERTIFICATE KEY]

Prints one line of JSON, {"sound": URL, "faulty": URL}, both of the same buckets, and serves until its standard input
ends. With a certificate, both speak TLS. At the faulty address, GET /_faults tells how often each kind of fault was
met, and with ?outage=SECONDS begins an outage.
"""

import contextlib
import io
import json
import logging
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

# How likely a request is to meet each. The first three happen before the store has seen it, the others after it has done it.
FAULTS = {
    "refused": 0.03,  # 503, and nothing is done
    "severed": 0.01,  # the connection breaks, and nothing is done
    "outage": 0.002,  # for some seconds everybody is refused
    "forgotten": 0.02,  # 503, and it is done all the same
    "hung_up": 0.01,  # the connection breaks, and it is done all the same
    "late": 0.005,  # 503, and it is done some time afterwards
    "slow": 0.015,
    "cut": 0.003,  # the answer breaks off
}
# The same for a put where there must be nothing yet, by which commits and turns are made.
OF_COMMITS = FAULTS | {"forgotten": 0.15, "hung_up": 0.1}


class Sound:
    """The store. What writes comes one after the other, since moto looks first whether an object is there and puts it then."""

    def __init__(self):
        self.app = DomainDispatcherApplication(create_backend_app)
        self.writing = threading.RLock()

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self.app(environ, start_response)
        with self.writing:
            return [b"".join(self.app(environ, start_response))]


class Faulty:
    """The store through a bad line."""

    def __init__(self, store, seed):
        self.store = store
        self.dice = random.Random(seed)
        self.lock = threading.Lock()
        self.met = Counter(dict.fromkeys([*FAULTS, "requests", "taken"], 0))
        self.down_until = 0.0

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ["PATH_INFO"] == "/_faults":
            return self.control(environ, start_response)
        is_commit = environ.get("HTTP_IF_NONE_MATCH") == "*"
        fault, seconds = self.throw(OF_COMMITS if is_commit else FAULTS)
        environ["wsgi.input"] = io.BytesIO(body)
        if fault in ("refused", "outage"):
            return refuse(start_response)
        if fault == "severed":
            return sever(environ)
        if fault == "late":
            threading.Timer(seconds, self.do, [environ]).start()
            return refuse(start_response)
        if fault == "slow":
            time.sleep(seconds)
        status, headers, answer = self.do(environ)
        if fault in ("forgotten", "hung_up"):
            if is_commit and status.startswith("200"):
                self.met["taken"] += 1
            return refuse(start_response) if fault == "forgotten" else sever(environ)
        start_response(status, headers)
        return cut(environ, answer) if fault == "cut" else [answer]

    def throw(self, faults):
        """What this request meets, and for how many seconds."""
        with self.lock:
            self.met["requests"] += 1
            if time.monotonic() < self.down_until:
                return "outage", 0
            fault = self.dice.choices([*faults, None], [*faults.values(), 1 - sum(faults.values())])[0]
            seconds = self.dice.uniform(0.05, 1.5)
            if fault:
                self.met[fault] += 1
            if fault == "outage":
                self.down_until = time.monotonic() + 2 * seconds
            return fault, seconds

    def do(self, environ):
        said = []
        answer = self.store(environ, lambda status, headers, *_: said.extend([status, headers]))
        return said[0], said[1], b"".join(answer)

    def control(self, environ, start_response):
        outage = parse_qs(environ["QUERY_STRING"]).get("outage")
        if outage:
            with self.lock:
                self.met["outage"] += 1
                self.down_until = time.monotonic() + float(outage[0])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self.met).encode()]


def refuse(start_response):
    start_response("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))])
    return [SLOW_DOWN]


def sever(environ):
    """Closes the connection; what is written to it afterwards is lost."""
    with contextlib.suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError


def cut(environ, answer):
    yield answer[: len(answer) // 2]
    sever(environ)


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    context = tuple(sys.argv[2:4]) or None
    store = Sound()

    def serve(app):
        server = make_server(
            "127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler, ssl_context=context
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"{'https' if context else 'http'}://127.0.0.1:{server.port}"

    print(json.dumps({"sound": serve(store), "faulty": serve(Faulty(store, int(sys.argv[1])))}), flush=True)
    sys.stdin.read()
    # Requests that are still at work need not end.
    os._exit(0)


if __name__ == "__main__":
    main()
