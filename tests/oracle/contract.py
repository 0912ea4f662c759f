"""Holds a server against its own OpenAPI document: python contract.py URL [TOKEN].

First the document against the specification, then the server against the document: schemathesis makes up requests,
right and wrong ones, and looks at every answer. Prints what it finds; exits 0 when that is nothing.
"""

import base64
import gzip
import itertools
import json
import sys
from pathlib import Path

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import requests
import schemathesis
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.cli import schemathesis as command_line
from schemathesis.specs.openapi import _auth_retry

CONFIG = Path(__file__).with_name("contract.toml")
PACKED = {"gzip": gzip.compress, "zstd": lambda body: pyarrow.compress(body, codec="zstd", asbytes=True)}


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """The body of a push is whatever it is; one that is said to be packed is."""
    body = value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
    pack = PACKED.get((context.case.headers or {}).get("Content-Encoding"), bytes)
    return pack(body)


def of_metric(case):
    """Which parameters and grains go with which metric, and which scopes there are; periods that are not endless."""
    metric = METRICS.get(case.path_parameters["id"])
    if metric is None:
        return
    values = {parameter["name"]: parameter["values"] for parameter in metric["parameters"]}
    for name in [name for name in case.query if name in OF_METRICS and case.query[name] not in values.get(name, [])]:
        del case.query[name]
    for name, year in (("from", 2024), ("to", 2025)):
        case.query[name] = f"{year}{case.query[name][4:]}".replace("02-29", "02-28")
    if case.query.get("grain") not in metric["grains"]:
        case.query.pop("grain", None)
    if not metric["rankable"]:
        case.query.pop("peers", None)
    if "scope" in case.query:
        case.query["scope"] = next(SCOPES)


def of_report(case):
    """A year with events, and either a month or a unit."""
    case.path_parameters["year"] = 2025
    case.query.pop("unit", None)


def of_query(case):
    """A query that takes what is given for its parameters, in every form that rows come in."""
    asked = case.query if case.method == "GET" else case.body
    given = asked.get("parameters")
    given = json.loads(given) if isinstance(given, str) else given
    asked["sql"] = "select " + (
        ", ".join(f"${place + 1}" for place in range(len(given))) if isinstance(given, list) and given else "1"
    )
    case.headers = {**(case.headers or {}), "Accept": next(FORMS)}


def of_push(case):
    """A key of its own for each body, and CSV with its header; only lines are packed by the serializer of this file."""
    headers = dict(case.headers or {})
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = f"key-{next(KEYS)}"
    if case.media_type != "application/x-ndjson":
        headers.pop("Content-Encoding", None)
    case.headers = headers
    if case.media_type == "text/csv":
        # Which columns there have to be is said by the mapping.
        case.query["source"] = "native"
        case.body = "event_id,event_type,occurred_at,org_id\n1,patrol.recorded,yesterday,town-1\n"


# What a schema cannot say of a request that is right.
MEANT = {
    "/api/v1/events": of_push,
    "/api/v1/metrics/{id}": of_metric,
    "/api/v1/metrics/{id}/explain": of_metric,
    "/api/v1/reports/{year}": of_report,
    "/api/v1/sql": of_query,
}
METRICS, OF_METRICS = {}, set()
KEYS = itertools.count(1)
SCOPES = itertools.cycle(["district", "towns", "district/*", "towns,departments"])
FORMS = itertools.cycle(
    [
        "application/json",
        "text/csv",
        "application/x-ndjson",
        "application/vnd.apache.arrow.stream",
        "application/vnd.apache.parquet",
    ]
)


@schemathesis.hook
def before_call(context, case, kwargs):
    """A request that is to be right is right in what no schema says as well; one that is to be wrong stays as it is."""
    is_right = case.meta is not None and case.meta.generation.mode.is_positive
    if is_right and case.operation.path in MEANT:
        MEANT[case.operation.path](case)


class OfStrangers(dict):
    """Wrong credentials of somebody else each time: whoever tries the same name too often is locked out."""

    numbers = itertools.count(1)

    def get(self, scheme, default=None):
        if scheme == "_basic_auth":
            return "Basic " + base64.b64encode(f"stranger{next(self.numbers)}:wrong".encode()).decode()
        return super().get(scheme, default)


@schemathesis.deserializer("application/vnd.apache.arrow.stream")
def of_arrow(context, response):
    """What is sent as Arrow is Arrow."""
    return pyarrow.ipc.open_stream(response.content).read_all().num_rows


@schemathesis.deserializer("application/vnd.apache.parquet")
def of_parquet(context, response):
    """What is sent as Parquet is Parquet."""
    return pyarrow.parquet.read_table(pyarrow.BufferReader(response.content)).num_rows


def examples(parameters, place):
    """What the document gives as an example for the parameters of a place."""
    given = {}
    for parameter in parameters:
        if parameter["in"] != place:
            continue
        if "example" in parameter:
            given[parameter["name"]] = parameter["example"]
        elif "content" in parameter:
            given[parameter["name"]] = json.dumps(parameter["content"]["application/json"]["schema"]["examples"][0])
        elif parameter["required"]:
            raise SystemExit(f"the parameter {parameter['name']} is required and has no example")
    return given


def not_answered(url, document, headers):
    """Asks each operation for what the document gives as an example; tells what is not answered with 200."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            parameters = operation.get("parameters", [])
            address = url + path.format(**examples(parameters, "path"))
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body:
                schema = document["components"]["schemas"][body["schema"]["$ref"].rsplit("/", 1)[1]]
                # A body of any kind is as good when it is empty.
                fields = schema.get("properties", {})
                body = {name: it.get("example") or it["examples"][0] for name, it in fields.items()} or None
            query = examples(parameters, "query")
            answer = requests.request(method, address, params=query, json=body, headers=headers)
            if answer.status_code != 200:
                yield f"{method} {answer.url}: {answer.status_code} {answer.text[:300]}"


def come_from_many_addresses():
    """Each session comes from an address of its own, because an address is locked out as well."""
    plain, hosts = requests.adapters.HTTPAdapter.init_poolmanager, itertools.cycle(range(2, 250))

    def init_poolmanager(self, *arguments, **options):
        plain(self, *arguments, source_address=(f"127.0.0.{next(hosts)}", 0), **options)

    requests.adapters.HTTPAdapter.init_poolmanager = init_poolmanager


def main(url, *token):
    headers = {"Authorization": f"Bearer {token[0]}"} if token else {}
    address = f"{url}/api/v1/openapi.json"
    document = requests.get(address, headers=headers).json()
    OpenAPIV31SpecValidator(document).validate()
    if wrong := list(not_answered(url, document, headers)):
        sys.exit("\n".join(["examples that are not answered:", *wrong]))
    METRICS.update({it["id"]: it for it in requests.get(f"{url}/api/v1/metrics", headers=headers).json()["metrics"]})
    OF_METRICS.update(parameter["name"] for metric in METRICS.values() for parameter in metric["parameters"])
    _auth_retry.INVALID_AUTH_HEADERS = OfStrangers(_auth_retry.INVALID_AUTH_HEADERS)
    come_from_many_addresses()
    run = ["--config-file", str(CONFIG), "run", address]
    if token:
        # What is right or wrong to ask does not depend on who asks: a few answers of each operation are enough.
        run += [
            "--header",
            f"Authorization: {headers['Authorization']}",
            "--phases",
            "examples,fuzzing",
            "--max-examples",
            "2",
        ]
    # What lands makes the server compute everything anew, so pushing comes last.
    for which in ("--exclude-operation-id", "--include-operation-id"):
        try:
            command_line([*run, which, "push"], standalone_mode=False)
        except SystemExit as ended:
            if ended.code:
                raise


if __name__ == "__main__":
    main(*sys.argv[1:])
