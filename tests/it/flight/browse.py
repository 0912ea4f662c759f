"""Looks around by Arrow Flight SQL, as a tool does that shows its user a tree of tables, and moves many rows."""

import json
import sys
import warnings

import adbc_driver_flightsql.dbapi
import pyarrow.compute as pc

warnings.simplefilter("ignore")

with adbc_driver_flightsql.dbapi.connect(sys.argv[1], autocommit=True) as connection, connection.cursor() as cursor:
    info = connection.adbc_get_info()
    objects = connection.adbc_get_objects(depth="columns").read_all().to_pylist()
    schemas = {
        schema["db_schema_name"]: {table["table_name"]: table for table in schema["db_schema_tables"]}
        for catalog in objects
        for schema in catalog["catalog_db_schemas"]
    }
    columns = {column["column_name"] for column in schemas["events"]["event_log"]["table_columns"]}
    cursor.execute("select value, '渝北' as name from generate_series(1, 300000)")
    rows = cursor.fetch_arrow_table()
    reader = cursor.execute("select value from generate_series(1, 900000)").fetch_record_batch()
    first = reader.read_next_batch().num_rows
    cursor.execute("select * from event_log")
    events = cursor.fetch_arrow_table()
    described = cursor.adbc_prepare("select event_id from event_log where org_id = $1 and event_date >= $2")
    json.dump(
        {
            "vendor": info["vendor_name"],
            "catalogs": [catalog["catalog_name"] for catalog in objects],
            "schemas": sorted(schemas),
            "kinds": connection.adbc_get_table_types(),
            "kind": {
                name: schemas[s][name]["table_type"] for s, name in [("reference", "orgs"), ("metrics", "patrols")]
            },
            "filtered": connection.adbc_get_table_schema("orgs", db_schema_filter="reference").names[:2],
            "columns": sorted(columns & {"event_id", "officer_ids", "reject"}),
            "rows": [rows.num_rows, pc.sum(rows["value"]).as_py(), rows["name"][0].as_py()],
            "first": first > 0,
            "types": {
                name: str(events.schema.field(name).type)
                for name in ["event_id", "occurred_at", "officer_ids", "event_month"]
            },
            "event": events.to_pylist()[0]["officer_ids"],
            "parameters": [str(field.type) for field in described],
        },
        sys.stdout,
    )
