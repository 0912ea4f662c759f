//! What the clients of PostgreSQL find when they look around: psql, SQLAlchemy, JDBC, ADBC and Grafana.

use std::process::Command;

use crate::harness::{Fresh, Server, fresh, patrol, python, repository, succeed, wait_for};

fn served() -> Fresh {
    let fresh = fresh();
    fresh.server.push(&[], patrol("one").as_bytes());
    wait_for("the patrol is counted", || {
        let rows = fresh.server.metric("patrols", "from=2025-01-01&to=2026-01-01");
        (rows[0]["value"] == 1).then_some(())
    });
    fresh
}

#[track_caller]
fn psql(server: &Server, command: &str) -> String {
    let address = format!("{}?user=anybody", server.postgres);
    let told = succeed(Command::new("psql").args(["--no-psqlrc", &address, "-c", command]));
    String::from_utf8(told).unwrap()
}

/// Runs a script of `tests/it/postgres_catalog`, which has the address as its argument.
#[track_caller]
fn run(server: &Server, script: &str) -> String {
    let script = repository("tests/it/postgres_catalog").join(script);
    let address = format!("{}?user=anybody", server.postgres);
    let told = succeed(python().arg(script).arg(address));
    String::from_utf8(told).unwrap().trim_end().to_owned()
}

#[test]
fn psql_lists_and_describes_what_there_is() {
    let Fresh { server, folder: _folder, .. } = served();
    #[track_caller]
    fn check(server: &Server, command: &str, expected: &[&str]) {
        let told = psql(server, command);
        for expected in expected {
            assert!(told.contains(expected), "{command} does not show `{expected}`: {told}");
        }
    }
    check(&server, r"\dn", &["events", "metrics", "models", "reference", "(4 rows)"]);
    check(&server, r"\dt", &["| orgs", "| org_days"]);
    check(&server, r"\d", &["| patrols", "| events"]);
    check(&server, r"\dt+ reference.orgs", &["执法单位及沿革 | enforcement units"]);
    check(
        &server,
        r"\d cases",
        &["models.cases", "fine_fen", "bigint", "decided_at", "timestamp with time zone"],
    );
    check(&server, r"\d+ reference.orgs", &["单位编码 | the unit", "valid_from", "date"]);
    check(&server, r"\d+ metrics.patrols", &["期间起始日", "double precision", "local midnight"]);
    check(&server, r"\dv+ metrics.patrols", &["巡查", "Source: "]);
    check(&server, r"\l", &["lawpulse"]);
    check(&server, r"\du", &["List of roles"]);
    check(&server, r"\df metric", &["List of functions"]);
    check(&server, r"\dT", &["List of data types"]);
    check(&server, "select version(), current_user", &["PostgreSQL 16.0 (lawpulse", "anonymous"]);
    // What asks for rows as well is never rewritten.
    let mixed = "select (select count(*) from events) as n, current_database() as d";
    check(&server, mixed, &["1 | lawpulse"]);
}

/// Analysts are shown no texts that nobody has described, so that a column without a comment would be empty for them.
#[test]
fn every_table_and_every_column_is_described_in_both_languages() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let undescribed = "select n.nspname, c.relname, a.attname from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('events', 'models', 'metrics', 'reference')
        and (coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '') not like '%_ | _%'
        or coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') not like '%_ | _%')";
    let told = psql(&server, undescribed);
    assert!(told.contains("(0 rows)"), "{told}");
    let described = psql(&server, &undescribed.replace("not like", "like"));
    assert!(described.contains("| officer_ids"), "{described}");
}

#[test]
fn sqlalchemy_reflects_tables_with_their_comments_and_asks_through_them() {
    let Fresh { server, folder: _folder, .. } = served();
    let told = run(&server, "reflect.py");
    let expected = "events information_schema metrics models reference
orgs org_id TEXT 单位编码 | the unit
执法单位及沿革 | enforcement units and their versions
no keys, no indexes
2025-01-01 1.0
100000 rows";
    assert_eq!(told, expected);
}

#[test]
fn jdbc_finds_schemas_tables_columns_and_types() {
    let Fresh { server, folder: _folder, .. } = served();
    let source = repository("tests/it/postgres_catalog/Metadata.java");
    let address =
        format!("jdbc:{}?user=anybody", server.postgres.replace("postgres://", "postgresql://"));
    let told = succeed(
        Command::new("java")
            .args(["-cp", "/usr/share/java/postgresql.jar"])
            .arg(source)
            .arg(address),
    );
    let expected = "PostgreSQL 16.0
events information_schema metrics models pg_catalog reference
orgs TABLE
time timestamptz, period_start date, period_end date, grain text
no primary key
has types
";
    assert_eq!(String::from_utf8(told).unwrap(), expected);
}

#[test]
fn adbc_copies_rows_in_binary() {
    let Fresh { server, folder: _folder, .. } = served();
    assert_eq!(run(&server, "copy_out.py"), "100000 5000050000 渝北 2025-03-05 town-1");
}

/// The queries are those that Grafana's PostgreSQL data source sends, macros expanded as it does.
#[test]
fn grafana_finds_tables_columns_and_types_and_draws_its_panels() {
    let Fresh { server, folder: _folder, .. } = served();
    let expected = "version 1600
timescaledb 0
table list has metrics.patrols, models.cases, reference.orgs
column list: time timestamp with time zone, value double precision, scope text
schemas metrics models events reference information_schema pg_catalog
schema tables has patrols
schema columns: time timestamptz, value float8, scope text
variable: district
panel: 2025-03-01T00:00:00+08:00 district 1.0
group: 1741132800.0 1";
    assert_eq!(run(&server, "grafana.py"), expected);
}
