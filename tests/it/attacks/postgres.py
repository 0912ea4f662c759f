"""Asks over the PostgreSQL wire, in its simple or its extended protocol.

usage: postgres.py URL simple|prepared < STATEMENTS

STATEMENTS is a JSON list of texts; the answer is a JSON list of {"rows": …} or {"error": "CODE message"}.
"""

import json
import sys

import psycopg


def ask(connection, way, sql):
    if way == "prepared":
        cursor = connection.execute(sql, prepare=True, binary=True)
        return {"rows": [list(row) for row in cursor.fetchall()]}
    result = connection.pgconn.exec_(sql.encode())
    if result.status in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.EMPTY_QUERY):
        columns = range(result.nfields)
        rows = [[(result.get_value(row, at) or b"").decode() for at in columns] for row in range(result.ntuples)]
        return {"rows": rows}
    code = (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
    told = (result.error_field(psycopg.pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message or b"").decode()
    return {"error": f"{code} {told}"}


url, way = sys.argv[1:]
answers = []
with psycopg.connect(url, autocommit=True) as connection:
    for sql in json.load(sys.stdin):
        try:
            answers.append(ask(connection, way, sql))
        except psycopg.Error as error:
            answers.append({"error": f"{error.sqlstate} {error}"})
json.dump(answers, sys.stdout, default=str)
