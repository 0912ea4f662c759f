"""Asks by Arrow Flight SQL, with ADBC's driver.

usage: ask.py URI [OPTION=VALUE]… < QUESTIONS

QUESTIONS is a JSON list of {"sql": …, "parameters": […], "way": "execute" | "prepare" | "update" | "ingest"}; the answer is a
JSON list of {"rows": […]}, {"update": …} or {"error": …}. Options are those of the driver; @FILE stands for what a file holds.
"""

import json
import sys
import warnings

import adbc_driver_flightsql.dbapi
import pyarrow

warnings.simplefilter("ignore")


def value_of(text):
    if text.startswith("@"):
        with open(text[1:], encoding="utf-8") as file:
            return file.read()
    return text


def answer(connection, question):
    way = question.get("way", "execute")
    with connection.cursor() as cursor:
        if way == "ingest":
            return {"update": cursor.adbc_ingest(question["sql"], pyarrow.table({"a": [1]}), mode="append")}
        if way == "update":
            # What a client sends that does not expect rows.
            cursor.adbc_statement.set_sql_query(question["sql"])
            return {"update": cursor.adbc_statement.execute_update()}
        if way == "prepare":
            cursor.adbc_prepare(question["sql"])
        cursor.execute(question["sql"], question.get("parameters"))
        return {"rows": cursor.fetch_arrow_table().to_pylist()}


def main():
    options = dict(argument.split("=", 1) for argument in sys.argv[2:])
    options = {name: value_of(value) for name, value in options.items()}
    answers = []
    try:
        connection = adbc_driver_flightsql.dbapi.connect(sys.argv[1], db_kwargs=options, autocommit=True)
    except adbc_driver_flightsql.dbapi.Error as error:
        json.dump({"refused": str(error)}, sys.stdout)
        return
    with connection:
        for question in json.load(sys.stdin):
            try:
                answers.append(answer(connection, question))
            except adbc_driver_flightsql.dbapi.Error as error:
                answers.append({"error": str(error)})
    json.dump(answers, sys.stdout, default=str)


main()
