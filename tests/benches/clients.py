"""Clients that cost little: bytes over HTTP, and libpq over the PostgreSQL wire, all in one thread that waits for them.

A client asks one question at a time. `receive` gives the answer when it is there, `None` before.
"""

import base64
import json
import socket
import zlib
from dataclasses import dataclass

from psycopg import pq


@dataclass
class Answer:
    """What came back: a body as it was sent, or a result of libpq, or why there is none."""

    body: bytes | None = None
    result: pq.PGresult | None = None
    error: str | None = None
    message: str = ""
    # The seconds after which a refused client is to come back, if it was told.
    retry_after: float | None = None

    @property
    def digest(self):
        """Tells answers apart without reading all of them."""
        if self.result is None:
            return zlib.crc32(self.body)
        return self.result.ntuples, self.row(self.result.ntuples - 1)

    def row(self, number):
        return [self.result.get_value(number, column) for column in range(self.result.nfields)]

    def rows(self):
        """All rows as texts; numbers look alike as whole and as broken ones."""
        if self.error:
            raise SystemExit(f"{self.error}: {self.message}")
        if self.result is not None:
            rows = [[value and value.decode() for value in self.row(number)] for number in range(self.result.ntuples)]
        else:
            rows = json.loads(self.body)
            rows = [list(row.values()) for row in (rows["rows"] if isinstance(rows, dict) else rows)]
        return [[str(value).removesuffix(".0") for value in row] for row in rows]


class Http:
    """One connection that is kept alive."""

    def __init__(self, port, request_of, login=None):
        """`request_of(question)` gives the path, the body, `None` to GET, and more headers, if there are any."""
        self.address = ("127.0.0.1", port)
        self.request_of = request_of
        self.headers = "Host: 127.0.0.1\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        if login:
            basic = base64.b64encode(":".join(login).encode()).decode()
            self.headers += f"Authorization: Basic {basic}\r\n"
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()

    def fileno(self):
        return self.socket.fileno()

    def is_closed(self):
        """Whether the server has closed the connection, as it does with one that was idle."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def ask(self, question):
        if self.is_closed():
            self.socket.close()
            self.connect()
        path, body, *headers = self.request_of(question)
        headers = self.headers + "".join(f"{header}\r\n" for header in headers)
        if body is None:
            head = f"GET {path} HTTP/1.1\r\n{headers}\r\n"
        else:
            head = f"POST {path} HTTP/1.1\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + (body or b""))

    def receive(self):
        try:
            more = self.socket.recv(1 << 18)
        except ConnectionError:
            more = b""
        if not more:
            self.socket.close()
            self.connect()
            return Answer(error="broken off")
        self.received += more
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.received[:end]).lower()
        body = self.whole_body(head, end + 4)
        if body is None:
            return None
        self.received.clear()
        status = head[9:12].decode()
        if status.startswith("2"):
            return Answer(body=body)
        return Answer(error=status, message=body.decode(errors="replace"), retry_after=number_of(head, b"retry-after:"))

    def whole_body(self, head, start):
        length = 0 if head[9:12] == b"204" else number_of(head, b"content-length:")
        if length is not None:
            return bytes(self.received[start:]) if len(self.received) - start >= length else None
        # No row of JSON ends in a bare 0 before a line break.
        if not self.received.endswith(b"0\r\n\r\n"):
            return None
        chunks = []
        while True:
            line = self.received.index(b"\r\n", start)
            size = int(self.received[start:line], 16)
            if size == 0:
                return b"".join(chunks)
            chunks.append(self.received[line + 2 : line + 2 + size])
            start = line + 2 + size + 2

    def close(self):
        self.socket.close()


def number_of(head, header):
    """What a header says that holds a number; `None` if it is not there."""
    at = head.find(header)
    return int(head[at + len(header) :].split(b"\r\n", 1)[0]) if at >= 0 else None


class Wire:
    """One connection of the PostgreSQL wire; simple queries, answers as text."""

    def __init__(self, port, login=("me", "")):
        self.login = f"host=127.0.0.1 port={port} dbname=lawpulse user={login[0]} password={login[1]} sslmode=disable"
        self.connect()

    def connect(self):
        self.connection = pq.PGconn.connect(self.login.encode())
        if self.connection.status != pq.ConnStatus.OK:
            raise ConnectionError(self.connection.error_message.decode())
        self.connection.nonblocking = 1
        self.result = None

    def fileno(self):
        return self.connection.socket

    def ask(self, question):
        self.connection.send_query(question.encode())
        while self.connection.flush():
            pass

    def receive(self):
        try:
            self.connection.consume_input()
        except Exception:
            self.connection.finish()
            self.connect()
            return Answer(error="broken off")
        while not self.connection.is_busy():
            result = self.connection.get_result()
            if result is None:
                return self.answer(self.result)
            self.result = result
        return None

    def answer(self, result):
        if result.status == pq.ExecStatus.TUPLES_OK:
            return Answer(result=result)
        state = result.error_field(pq.DiagnosticField.SQLSTATE) or b"no SQLSTATE"
        return Answer(error=state.decode(), message=result.error_message.decode())

    def close(self):
        self.connection.finish()


def lawpulse_sql(sql):
    return "/api/v1/sql", json.dumps({"sql": sql}).encode()


def roapi_sql(sql):
    return "/api/sql", sql.encode()


def page(path):
    return path, None
