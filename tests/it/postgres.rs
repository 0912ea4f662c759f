//! The PostgreSQL wire as its clients meet it: psql, psycopg, JDBC and node-postgres.

use std::process::{Command, Output};

use crate::harness::{self, Fresh, Server, fresh, node, python, succeed, wait_for};

/// psql on a server, without the user's own settings.
fn psql(server: &Server) -> Command {
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", &server.postgres]);
    command.env("PGUSER", "anybody").env("PGTZ", "Asia/Shanghai");
    command
}

/// What psql prints for statements.
#[track_caller]
fn ask(server: &Server, sql: &str) -> String {
    let told = succeed(psql(server).args(["-v", "ON_ERROR_STOP=1", "-c", sql]));
    String::from_utf8(told).unwrap().trim_end().to_owned()
}

/// What psql says of a statement that fails.
#[track_caller]
fn refused(server: &Server, sql: &str) -> String {
    let shown = ["-v", "VERBOSITY=verbose", "-v", "ON_ERROR_STOP=1"];
    let Output { status, stderr, .. } =
        psql(server).args(shown).args(["-c", sql]).output().unwrap();
    assert_eq!(status.code(), Some(1), "{sql}");
    String::from_utf8(stderr).unwrap()
}

/// Runs a script of psycopg, which has the address in `url`; returns what it prints.
#[track_caller]
fn psycopg(server: &Server, script: &str) -> String {
    let head = "import sys, psycopg\nurl = sys.argv[1] + '?user=anybody'\n";
    let script = format!("{head}{script}");
    let told = succeed(python().args(["-c", &script, &server.postgres]));
    String::from_utf8(told).unwrap().trim_end().to_owned()
}

/// Waits until no query is at work any longer.
fn wait_until_idle(server: &Server) {
    wait_for("no query runs", || {
        server
            .get("/metrics")
            .text
            .lines()
            .any(|line| line == "lawpulse_sql_running 0")
            .then_some(())
    });
}

#[test]
fn postgres_psql_asks_and_copies() {
    let Fresh { server, folder, .. } = fresh();
    assert_eq!(ask(&server, "select 1 as a, '渝北' as b, null as c"), "1|渝北|");
    assert_eq!(ask(&server, "select 1; select 2 where false; values (3), (4)"), "1\n3\n4");
    assert_eq!(ask(&server, ""), "");
    let instant = "select timestamp '2024-03-05 01:12:33.5' at time zone 'UTC'";
    assert_eq!(ask(&server, instant), "2024-03-05 09:12:33.5+08");
    assert_eq!(
        ask(&server, &format!("set time zone 'UTC'; {instant}")),
        "2024-03-05 01:12:33.5+00"
    );
    assert_eq!(ask(&server, "show timezone"), "Asia/Shanghai");
    assert_eq!(ask(&server, "select make_array('a b', null, 'c')"), "{\"a b\",NULL,c}");
    let copied = folder.path().join("copied.csv");
    let rows = "select value as n, 'x,' || value as t from generate_series(1, 3) order by 1";
    ask(&server, &format!("\\copy ({rows}) to '{}' csv header", copied.display()));
    assert_eq!(std::fs::read_to_string(copied).unwrap(), "n,t\n1,\"x,1\"\n2,\"x,2\"\n3,\"x,3\"\n");
    assert_eq!(ask(&server, &format!("copy ({rows}) to stdout")), "1\tx,1\n2\tx,2\n3\tx,3");
    assert!(ask(&server, "explain select count(*) from events").contains("Aggregate"));
}

#[test]
fn postgres_psql_shows_where_a_mistake_is() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let told = refused(&server, "select 1; select event_id,\n  orgid from events");
    assert!(told.contains("ERROR:  42703: there is no column `orgid`"), "{told}");
    assert!(told.contains("LINE 2:   orgid from events\n          ^"), "{told}");
    assert!(told.contains("HINT:  Did you mean `org_id`?"), "{told}");
    let codes = [
        ("selec 1", "42601"),
        ("select 1 +", "42601"),
        ("select * from evnts", "42P01"),
        ("select coumt(*) from events", "42883"),
        ("select 1/0", "22012"),
        ("select cast('x' as int)", "22P02"),
        ("select $1", "42P02"),
        ("set datafusion.execution.batch_size = 1", "42704"),
        ("show nonsense", "42704"),
        ("set client_encoding = 'GBK'", "22023"),
        ("set server_version = '9'", "55P02"),
        ("set transaction_read_only = off", "25006"),
        ("fetch 1 from nowhere", "34000"),
        ("declare c cursor for select 1", "25P01"),
        ("select value from generate_series(1, 1000001)", "54000"),
    ];
    for (sql, code) in codes {
        let told = refused(&server, sql);
        assert!(told.contains(&format!("ERROR:  {code}:")), "{sql}: {told}");
    }
}

#[test]
fn postgres_psycopg_gets_back_every_value_that_it_sends() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let script = "
import datetime as d, decimal, uuid
zone = d.timezone(d.timedelta(hours=8))
values = [
    True, 7, 70000, 1 << 40, 1.5, -0.1, '渝北 \\'; drop', b'\\x00\\xff', decimal.Decimal('-12345.670'),
    d.date(2024, 3, 5), d.time(9, 12, 33, 500000), d.datetime(2024, 3, 5, 9, 12, 33),
    d.datetime(2024, 3, 5, 9, 12, 33, 5, zone), d.timedelta(days=3, seconds=5), [1, 2],
    [1.5, None], [True], [d.date(2024, 3, 5)],
]
with psycopg.connect(url) as connection:
    for binary in (False, True):
        for sent_as in ('%s', '%b', '%t'):
            for value in values:
                cursor = connection.cursor(binary=binary)
                got = cursor.execute(f'select {sent_as} as v', [value]).fetchone()[0]
                if got != value:
                    print(binary, sent_as, repr(value), repr(got))
        row = connection.cursor(binary=binary).execute('select %s as v, %s + 1 as w', [None, 41]).fetchone()
        assert row == (None, 42), row
        texts = ['a', None, 'b c', '']
        assert connection.execute('select %b as v', [texts], binary=binary).fetchone()[0] == texts
    assert str(connection.execute('select %s::text', [uuid.UUID(int=7)]).fetchone()[0]) == str(uuid.UUID(int=7))
";
    assert_eq!(psycopg(&server, script), "");
}

#[test]
fn postgres_types_are_those_of_the_columns_in_text_and_binary() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let script = "
columns = {
    'cast(1 as tinyint)': (21, 1), 'cast(1 as smallint)': (21, 1), 'cast(1 as int)': (23, 1), '1': (20, 1),
    \"arrow_cast(200, 'UInt8')\": (21, 200), \"arrow_cast(7, 'UInt32')\": (20, 7),
    \"arrow_cast(18446744073709551615, 'UInt64')\": (1700, 18446744073709551615),
    'cast(1.5 as float)': (700, 1.5), '1.5': (701, 1.5), 'true': (16, True), 'null': (25, None),
    \"arrow_cast('a', 'Dictionary(Int32, Utf8)')\": (25, 'a'), \"arrow_cast('a', 'Utf8View')\": (25, 'a'),
    \"arrow_cast('a', 'LargeUtf8')\": (25, 'a'), \"make_array(make_array(1), null)\": (114, [[1], None]),
    \"named_struct('a', 1, 'b', 'x')\": (114, {'a': 1, 'b': 'x'}), 'make_array(1, null)': (1016, [1, None]),
    \"arrow_cast('12.30', 'Decimal128(10, 2)')\": (1700, 12.3),
}
with psycopg.connect(url) as connection:
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        row = cursor.execute('select ' + ', '.join(f'{text} as c{n}' for n, text in enumerate(columns))).fetchone()
        for told, got, (text, (oid, value)) in zip(cursor.description, row, columns.items()):
            if told.type_code != oid or (float(got) if oid == 1700 and value == 12.3 else got) != value:
                print(binary, text, told.type_code, got)
        instant = cursor.execute(\"select timestamp '2024-03-05 01:12:33' at time zone 'UTC' as t\").fetchone()[0]
        assert instant.isoformat() == '2024-03-05T09:12:33+08:00', instant
        days = cursor.execute(\"select interval '14 months 3 days 5 seconds', date '2024-03-05'\").fetchone()
        assert [str(day) for day in days] == ['428 days, 0:00:05', '2024-03-05'], days
";
    assert_eq!(psycopg(&server, script), "");
}

#[test]
fn postgres_a_cursor_gives_two_hundred_thousand_rows_piece_by_piece() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let script = "
with psycopg.connect(url) as connection:
    for binary in (False, True):
        with connection.cursor('piecewise', binary=binary) as cursor:
            cursor.itersize = 5000
            cursor.execute('select value, value * 2 from generate_series(1, 300000) where value <= %s order by 1', [200000])
            rows = sum(1 for n, (one, two) in enumerate(cursor) if (one, two) == (n + 1, 2 * n + 2))
            assert rows == 200000, rows
    cursor = connection.execute('declare c cursor for select value from generate_series(1, 10) order by 1')
    assert connection.execute('fetch forward 2 from c').fetchall() == [(1,), (2,)]
    assert connection.execute('move 3 in c').statusmessage == 'MOVE 3'
    assert connection.execute('fetch c').fetchall() == [(6,)]
    assert len(connection.execute('fetch all in c').fetchall()) == 4
    connection.execute('close c')
    connection.execute('declare held cursor with hold for select 1')
    connection.commit()
    assert connection.execute('fetch 1 from held').fetchall() == [(1,)]
    with connection.cursor() as cursor, cursor.copy('copy (select value from generate_series(1, 50000)) to stdout csv') as copy:
        assert sum(len(block) for block in copy) == sum(len(str(n)) + 1 for n in range(1, 50001))
    with connection.cursor() as cursor, cursor.copy(\"copy (select 7, 'x', null) to stdout (format binary)\") as copy:
        copy.set_types(['int8', 'text', 'int8'])
        assert list(copy.rows()) == [(7, 'x', None)]
    with connection.cursor() as cursor, cursor.copy('copy (select 1 where false) to stdout (format binary)') as copy:
        copy.set_types(['int8'])
        assert list(copy.rows()) == []
";
    assert_eq!(psycopg(&server, script), "");
    wait_until_idle(&server);
}

#[test]
fn postgres_a_cancelled_or_late_statement_ends_its_work_too() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let endless = "select count(*) from generate_series(1, 10000000) a cross join generate_series(1, 10000000) b";
    let script = format!(
        "
import threading, urllib.request
def running():
    text = urllib.request.urlopen(sys.argv[2] + '/metrics').read().decode()
    return 'lawpulse_sql_running 1' in text
def cancel(connection):
    while not running():
        pass
    connection.cancel()
with psycopg.connect(url, autocommit=True) as connection:
    for prepare in (False, True):
        thread = threading.Thread(target=cancel, args=[connection])
        thread.start()
        try:
            connection.execute('{endless}', prepare=prepare)
        except psycopg.errors.QueryCanceled as error:
            print(error.sqlstate, error)
        thread.join()
        while running():
            pass
    connection.execute(\"set statement_timeout = '300ms'\")
    try:
        connection.execute('{endless}')
    except psycopg.errors.QueryCanceled as error:
        print(error.sqlstate, error)
    print(connection.execute('select 1').fetchone())
"
    );
    let head = "import sys, psycopg\nurl = sys.argv[1] + '?user=anybody'\n";
    let script = format!("{head}{script}");
    let told = succeed(python().args(["-c", &script, &server.postgres, &server.url]));
    let user = "57014 canceling statement due to user request\n";
    let late = "57014 canceling statement due to statement timeout\n";
    assert_eq!(String::from_utf8(told).unwrap(), format!("{user}{user}{late}(1,)\n"));
    wait_until_idle(&server);
}

#[test]
fn postgres_whoever_leaves_ends_what_was_at_work_for_them() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let endless = "select count(*) from generate_series(1, 10000000) a cross join generate_series(1, 10000000) b";
    let client = harness::Process(psql(&server).args(["-c", endless]).spawn().unwrap());
    let metrics =
        |line: &str| server.get("/metrics").text.lines().any(|one| one == line).then_some(());
    wait_for("the query runs", || metrics("lawpulse_sql_running 1"));
    wait_for("the session is counted", || metrics("lawpulse_postgres_connections 1"));
    drop(client);
    wait_until_idle(&server);
    wait_for("the session is over", || metrics("lawpulse_postgres_connections 0"));
    wait_for("it is counted", || {
        metrics("lawpulse_postgres_connections_total{outcome=\"accepted\"} 1")
    });
}

#[test]
fn postgres_an_error_in_a_transaction_holds_until_its_end() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let script = "
status = lambda: connection.info.transaction_status.name
with psycopg.connect(url) as connection:
    print(status())
    connection.execute('select 1')
    print(status())
    for sql in ('select nonsense', 'select 1'):
        try:
            connection.execute(sql)
        except psycopg.Error as error:
            print(error.sqlstate, status())
    connection.rollback()
    print(status())
    try:
        with connection.transaction():
            connection.execute(\"set timezone = 'UTC'\")
            with connection.transaction():
                connection.execute('select nonsense')
    except psycopg.errors.UndefinedColumn:
        print(status(), connection.execute('show timezone').fetchone()[0])
    connection.rollback()
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute('select nonsense')
        except psycopg.errors.UndefinedColumn:
            print(status(), connection.execute('select 1').fetchone()[0])
    connection.execute('begin isolation level repeatable read read only')
    print(connection.execute('show transaction isolation level').fetchone()[0])
";
    let expected = "IDLE\nINTRANS\n42703 INERROR\n25P02 INERROR\nIDLE\nIDLE Asia/Shanghai\nINTRANS 1\nrepeatable read";
    assert_eq!(psycopg(&server, script), expected);
    assert!(refused(&server, "begin; select nonsense").contains("42703"));
}

#[test]
fn postgres_sessions_do_not_see_each_other() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let script = "
one, two = (psycopg.connect(url, autocommit=True, application_name=name) for name in ('one', 'two'))
one.execute(\"set timezone = 'America/New_York'\")
one.execute(\"set statement_timeout = '5s'\")
one.execute('declare c cursor with hold for select 1')
for connection in (one, two):
    print([connection.execute(f'show {name}').fetchone()[0] for name in ('timezone', 'statement_timeout', 'application_name')])
try:
    two.execute('fetch 1 from c')
except psycopg.Error as error:
    print(error.sqlstate)
print(one.info.timezone, two.info.timezone, one.info.parameter_status('server_version'))
one.execute('discard all')
print(one.execute('show timezone').fetchone()[0], len(one.execute('show all').fetchall()) > 30)
";
    let expected = "['America/New_York', '5s', 'one']\n['Asia/Shanghai', '0', 'two']\n34000\n\
        America/New_York Asia/Shanghai 16.0\nAsia/Shanghai True";
    assert_eq!(psycopg(&server, script), expected);
}

#[test]
fn postgres_jdbc_asks_with_parameters_and_fetches_piece_by_piece() {
    let Fresh { server, folder, .. } = fresh();
    let source = folder.path().join("Ask.java");
    std::fs::write(&source, include_str!("postgres/Ask.java")).unwrap();
    let url = format!(
        "jdbc:postgresql{}?user=anybody",
        server.postgres.strip_prefix("postgres").unwrap()
    );
    let told = succeed(
        Command::new("java")
            .args(["-Duser.timezone=Asia/Shanghai", "-cp", "/usr/share/java/postgresql.jar"])
            .args([source.to_str().unwrap(), &url]),
    );
    let expected = "7 渝北 2024-03-05 2024-03-05T09:12:33 true 12.50\nINTEGER null\n200000 rows\n42703\n57014\n1";
    assert_eq!(String::from_utf8(told).unwrap().trim_end(), expected);
    wait_until_idle(&server);
}

#[test]
fn postgres_node_asks_with_parameters_and_takes_a_large_result() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let script = "
const { Client } = require('pg');
(async () => {
    const client = new Client(process.argv[1].replace('//', '//anybody@'));
    await client.connect();
    const one = await client.query('select $1 as text, $2::bigint + 1 as n, $3::date as day, $4 as none',
        ['渝北', 41, '2024-03-05', null]);
    const { text, n, day, none } = one.rows[0];
    console.log(text, n, day.getDate(), none);
    const named = { name: 'series', text: 'select value from generate_series(1, 100000) where value <= $1 order by 1' };
    for (const values of [[100000], [3]]) {
        const { rows, rowCount } = await client.query({ ...named, values });
        console.log(rowCount, rows[rowCount - 1].value);
    }
    await client.query('select nonsense').catch(error => console.log(error.code, error.position));
    await client.end();
})();";
    let told = succeed(node().args(["-e", script, &server.postgres]));
    assert_eq!(String::from_utf8(told).unwrap(), "渝北 42 5 null\n100000 100000\n3 3\n42703 8\n");
}
