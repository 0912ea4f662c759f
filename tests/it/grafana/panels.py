"""Asks what the panels of the dashboards ask, as Grafana does: macros and variables put in, the simple protocol, texts.

usage: panels.py POSTGRES PROMETHEUS FOLDER FROM TO SCOPE

Prints a JSON object: for each panel what each of its queries gave, or why it gave nothing.
"""

import glob
import json
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

import psycopg

postgres, prometheus, folder, since, until, scope = sys.argv[1:]
connection = psycopg.connect(postgres, autocommit=True)


def expanded(text):
    text = text.replace("$__timeFrom()", f"'{since}'").replace("$__timeTo()", f"'{until}'")
    text = text.replace("${scope}", scope).replace("$__rate_interval", "2m")
    left = re.search(r"\$\{?__|\$\{|\$[a-z]", text)
    if left:
        raise ValueError(f"{text[left.start() :][:20]} is not expanded")
    return text


def rows_of(query):
    # Without parameters psycopg speaks the simple protocol, as Grafana does.
    cursor = connection.execute(expanded(query))
    return [column.name for column in cursor.description], cursor.fetchall()


def asked_in_sql(target):
    names, rows = rows_of(target["rawSql"])
    told = {"rows": len(rows), "columns": names}
    if target["format"] == "time_series":
        times = [row[names.index("time")] for row in rows]
        if times != sorted(times) or None in times:
            raise ValueError("the rows are not in the order of time")
        places = [place for place, name in enumerate(names) if name != "time"]
        told["series"] = len(places)
    else:
        places = range(len(names))
    numbers = [row[place] for row in rows for place in places]
    told["values"] = sum(isinstance(number, (int, float)) for number in numbers)
    return told


def asked_in_promql(target):
    query = {"query": expanded(target["expr"])}
    path = "query"
    if target["range"]:
        path = "query_range"
        query |= {"start": time.time() - 60, "end": time.time(), "step": 5}
    with urllib.request.urlopen(f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}") as answer:
        found = json.load(answer)["data"]["result"]
    return {
        "rows": len(found),
        "values": len(found),
        "columns": sorted({key for one in found for key in one["metric"]}),
    }


told = []
for path in sorted(glob.glob(f"{folder}/*/*.json")):
    board = json.loads(pathlib.Path(path).read_bytes())
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            names, rows = rows_of(variable["query"])
            values = [row[names.index("__value")] for row in rows]
            told.append({"board": board["uid"], "panel": f"${variable['name']}", "values": len(set(values))})
            if scope not in values or not all(row[names.index("__text")] for row in rows):
                raise ValueError(f"{board['uid']}: the variable {variable['name']} offers {rows[:3]}")
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            one = {"board": board["uid"], "panel": panel["title"], "type": panel["type"]}
            try:
                ask = asked_in_sql if "rawSql" in target else asked_in_promql
                told.append(one | ask(target))
            except Exception as error:
                told.append(one | {"error": f"{error}", "query": target.get("rawSql", target.get("expr"))})
print(json.dumps(told))
