"""Asks what Grafana's PostgreSQL data source asks, in its words."""

import sys

import psycopg

connection = psycopg.connect(sys.argv[1], autocommit=True)


def ask(query, parameters=None):
    return connection.execute(query, parameters).fetchall()


connection.execute(";")
print("version", *ask("SELECT current_setting('server_version_num')::int/100 as version")[0])
print("timescaledb", len(ask("SELECT extversion FROM pg_extension WHERE extname='timescaledb'")))

SEARCH_PATH = """SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
        FROM
            generate_series(
                array_lower(string_to_array(current_setting('search_path'),','),1),
                array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s"""
tables = ask(
    f"""SELECT
    CASE WHEN quote_ident(table_schema) IN ({SEARCH_PATH})
      THEN quote_ident(table_name)
      ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
    END AS "table"
    FROM information_schema.tables
    WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache',
      '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information',
      'timescaledb_experimental')
    ORDER BY CASE WHEN quote_ident(table_schema) IN ({SEARCH_PATH}) THEN 0 ELSE 1 END, 1"""
)
wanted = ["metrics.patrols", "models.cases", "reference.orgs"]
print("table list has", ", ".join(name for name in wanted if (name,) in tables))
columns = dict(
    ask(
        f"""SELECT quote_ident(column_name) AS "column", data_type AS "type"
    FROM information_schema.columns
    WHERE
      CASE WHEN array_length(parse_ident('metrics.patrols'),1) = 2
        THEN quote_ident(table_schema) = (parse_ident('metrics.patrols'))[1]
          AND quote_ident(table_name) = (parse_ident('metrics.patrols'))[2]
        ELSE quote_ident(table_name) = 'metrics.patrols'
          AND quote_ident(table_schema) IN ({SEARCH_PATH})
      END"""
    )
)
names = ["time", "value", "scope"]
print("column list:", ", ".join(f"{name} {columns[name]}" for name in names))

print("schemas", *(name for (name,) in ask("SELECT schema_name FROM information_schema.schemata")))
tables = ask(
    """SELECT table_name FROM information_schema.tables
    WHERE table_schema = %s AND table_type IN ('BASE TABLE', 'VIEW') ORDER BY table_name""",
    ("metrics",),
)
print("schema tables has", *(name for (name,) in tables if name == "patrols"))
types = {
    name: udt
    for name, _, udt, _, _ in ask(
        """SELECT column_name, data_type, udt_name, numeric_precision, numeric_scale
    FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position""",
        ("metrics", "patrols"),
    )
}
print("schema columns:", ", ".join(f"{name} {types[name]}" for name in names))
values = ask("SELECT DISTINCT scope::text FROM metrics.patrols WHERE value > 0 ORDER BY 1 LIMIT 100")
print("variable:", values[0][0])
for time, scope, value in ask(
    """SELECT time, scope, value FROM metrics.patrols
    WHERE time BETWEEN '2025-02-28T16:00:00Z' AND '2025-03-31T15:59:59Z' AND scope IN ('district') ORDER BY 1"""
):
    print("panel:", time.isoformat(), scope, value)
for time, count in ask(
    """SELECT floor(extract(epoch from occurred_at)/86400)*86400 AS "time", count(*) FROM events
    WHERE occurred_at BETWEEN '2025-03-01T00:00:00Z' AND '2025-04-01T00:00:00Z' GROUP BY 1 ORDER BY 1"""
):
    print("group:", time, count)
