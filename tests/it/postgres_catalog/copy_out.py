"""Fetches rows with ADBC's PostgreSQL driver, which copies them out in PostgreSQL's binary form."""

import sys

import adbc_driver_postgresql.dbapi
import pyarrow.compute as pc

with adbc_driver_postgresql.dbapi.connect(sys.argv[1]) as connection, connection.cursor() as cursor:
    cursor.execute("select value, '渝北' as name from generate_series(1, 100000)")
    rows = cursor.fetch_arrow_table()
    cursor.execute("select event_date, org_id from events")
    event = cursor.fetch_arrow_table().to_pylist()[0]
    print(rows.num_rows, pc.sum(rows["value"]), rows["name"][0], event["event_date"], event["org_id"])
