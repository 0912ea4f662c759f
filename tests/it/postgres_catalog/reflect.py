"""Reflects a table and a metric with SQLAlchemy, and asks through them."""

import sys

import sqlalchemy as sa

address = sys.argv[1].replace("postgres://", "postgresql+psycopg://")
engine = sa.create_engine(address)
inspector = sa.inspect(engine)
print(*inspector.get_schema_names())
assert inspector.has_table("orgs", "reference") and not inspector.has_table("nothing", "reference")
assert "orgs" in inspector.get_table_names("reference")
assert "patrols" in inspector.get_view_names("metrics")
column = inspector.get_columns("orgs", "reference")[0]
print("orgs", column["name"], column["type"], column["comment"])
print(inspector.get_table_comment("orgs", "reference")["text"])
keys = inspector.get_pk_constraint("orgs", "reference")["constrained_columns"]
assert keys == inspector.get_foreign_keys("orgs", "reference") == []
assert inspector.get_indexes("orgs", "reference") == []
print("no keys, no indexes")
patrols = sa.Table("patrols", sa.MetaData(), schema="metrics", autoload_with=engine)
query = (
    sa.select(patrols.c.period_start, patrols.c.value)
    .where(patrols.c.scope == "district", patrols.c.grain == "year")
    .order_by(patrols.c.period_start)
)
with engine.connect() as connection:
    for row in connection.execute(query):
        print(*row)
    streaming = connection.execution_options(stream_results=True, max_row_buffer=1000)
    rows = streaming.execute(sa.text("select value from generate_series(1, 100000)"))
    print(sum(1 for _ in rows), "rows")
