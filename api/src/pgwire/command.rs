//! What a statement is: a query for the door, or one of the few things that a session does itself.

use std::sync::Arc;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::copy::CopyForm;
use super::failure::{Failure, code};
use super::tokens::{self, Tokens};

/// The protocol counts parameters in 16 bits.
const PARAMETERS_MAX: usize = u16::MAX as usize;

/// A query and where it stands in what the client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) sql: String,
    /// Characters before it.
    pub(super) start: usize,
    /// The highest `$n`.
    pub(super) placeholders: usize,
}

impl Query {
    fn of(tokens: &Tokens<'_>) -> Result<Self, Failure> {
        let (sql, placeholders) = (tokens.text().to_owned(), tokens.placeholders());
        if placeholders > PARAMETERS_MAX {
            let message = format!("there is no parameter ${placeholders}");
            return Err(Failure::error(code::NO_SUCH_PARAMETER, message));
        }
        Ok(Self { sql, start: tokens.start(), placeholders })
    }
}

/// How long a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    Session,
    Transaction,
}

/// How far a FETCH or MOVE goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Rows(u64),
    All,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Nothing at all.
    Empty,
    /// Goes to the door; the tag says what it was.
    Query {
        query: Query,
        is_explain: bool,
    },
    Begin {
        modes: Vec<(String, String)>,
        tag: &'static str,
    },
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// Settings with their values; `None` for their defaults.
    Set {
        settings: Vec<(String, Option<String>)>,
        lasting: Lasting,
        tag: &'static str,
    },
    /// A setting, or all of them.
    Show(Option<String>),
    ResetAll,
    DiscardAll,
    /// A prepared statement, or all of them.
    Deallocate(Option<String>),
    Declare {
        cursor: String,
        query: Query,
        is_held: bool,
    },
    Fetch {
        cursor: String,
        count: Count,
    },
    Move {
        cursor: String,
        count: Count,
    },
    /// A cursor, or all of them.
    CloseCursor(Option<String>),
    Copy {
        query: Query,
        form: CopyForm,
    },
    /// Drivers send it when they give a connection back.
    Unlisten,
}

/// Reads every statement of a text.
pub(super) fn read_all(sql: &str) -> Result<Vec<Arc<Command>>, Failure> {
    tokens::split(sql)?.into_iter().map(|tokens| read(tokens).map(Arc::new)).collect()
}

/// What only changes data or the server, and is therefore no question of syntax here.
const WRITING: [&str; 41] = [
    "alter",
    "analyze",
    "attach",
    "call",
    "checkpoint",
    "cluster",
    "comment",
    "create",
    "delete",
    "detach",
    "do",
    "drop",
    "export",
    "grant",
    "import",
    "insert",
    "install",
    "listen",
    "load",
    "lock",
    "merge",
    "msck",
    "notify",
    "optimize",
    "pragma",
    "reassign",
    "refresh",
    "reindex",
    "rename",
    "repair",
    "replace",
    "restore",
    "revoke",
    "security",
    "truncate",
    "uncache",
    "unload",
    "update",
    "upsert",
    "use",
    "vacuum",
];

fn read(mut tokens: Tokens<'_>) -> Result<Command, Failure> {
    if tokens.begins_with(&["select", "with", "values", "table", "explain", "describe", "desc"])
        || tokens.clone().take_sign(&Token::LParen)
        || is_listing(&tokens)
    {
        let is_explain = tokens.begins_with(&["explain"]);
        return Ok(Command::Query { query: Query::of(&tokens)?, is_explain });
    }
    if let Some(word) = WRITING.iter().find(|word| tokens.begins_with(&[word])) {
        return Err(Failure::read_only(&word.to_uppercase()));
    }
    if tokens.begins_with(&["prepare", "execute"]) {
        let message = "PREPARE and EXECUTE are not supported as statements";
        return Err(Failure::error(code::FEATURE_NOT_SUPPORTED, message)
            .with_hint("Prepare with the protocol, as every driver does."));
    }
    let command = read_session_command(&mut tokens)?;
    tokens.expect_end()?;
    Ok(command)
}

/// Whether the engine lists something: these words are its own, and no settings.
fn is_listing(tokens: &Tokens<'_>) -> bool {
    let mut tokens = tokens.clone();
    tokens.take("show") && tokens.take_any(&["tables", "columns", "functions"])
}

fn read_session_command(tokens: &mut Tokens<'_>) -> Result<Command, Failure> {
    if tokens.take("begin") {
        tokens.take_any(&["work", "transaction"]);
        return Ok(Command::Begin { modes: transaction_modes(tokens)?, tag: "BEGIN" });
    }
    if tokens.take_all(&["start", "transaction"]) {
        return Ok(Command::Begin { modes: transaction_modes(tokens)?, tag: "START TRANSACTION" });
    }
    if tokens.take_any(&["commit", "end"]) {
        tokens.take_any(&["work", "transaction"]);
        return Ok(Command::Commit);
    }
    if tokens.take_any(&["rollback", "abort"]) {
        tokens.take_any(&["work", "transaction"]);
        if !tokens.take("to") {
            return Ok(Command::Rollback);
        }
        tokens.take("savepoint");
        return Ok(Command::RollbackTo(tokens.name()?));
    }
    if tokens.take("savepoint") {
        return Ok(Command::Savepoint(tokens.name()?));
    }
    if tokens.take("release") {
        tokens.take("savepoint");
        return Ok(Command::Release(tokens.name()?));
    }
    if tokens.take("set") {
        return set(tokens);
    }
    if tokens.take("reset") {
        if tokens.take("all") {
            return Ok(Command::ResetAll);
        }
        let settings = vec![(setting_name(tokens)?, None)];
        return Ok(Command::Set { settings, lasting: Lasting::Session, tag: "RESET" });
    }
    if tokens.take("show") {
        let all = tokens.take("all");
        return Ok(Command::Show(if all { None } else { Some(setting_name(tokens)?) }));
    }
    read_cursor_command(tokens)
}

fn read_cursor_command(tokens: &mut Tokens<'_>) -> Result<Command, Failure> {
    if tokens.take("declare") {
        return declare(tokens);
    }
    if tokens.take("fetch") {
        let (count, cursor) = (fetch_count(tokens)?, tokens.name()?);
        return Ok(Command::Fetch { cursor, count });
    }
    if tokens.take("move") {
        let (count, cursor) = (fetch_count(tokens)?, tokens.name()?);
        return Ok(Command::Move { cursor, count });
    }
    if tokens.take("close") {
        return Ok(Command::CloseCursor(all_or_name(tokens)?));
    }
    if tokens.take("deallocate") {
        tokens.take("prepare");
        return Ok(Command::Deallocate(all_or_name(tokens)?));
    }
    if tokens.take("discard") {
        tokens.expect("all")?;
        return Ok(Command::DiscardAll);
    }
    if tokens.take("copy") {
        return copy(tokens);
    }
    if tokens.take("unlisten") {
        if !tokens.take_sign(&Token::Mul) {
            tokens.name()?;
        }
        return Ok(Command::Unlisten);
    }
    Err(tokens.unexpected())
}

fn all_or_name(tokens: &mut Tokens<'_>) -> Result<Option<String>, Failure> {
    if tokens.take("all") { Ok(None) } else { tokens.name().map(Some) }
}

/// The modes of a transaction as the settings that they are.
fn transaction_modes(tokens: &mut Tokens<'_>) -> Result<Vec<(String, String)>, Failure> {
    let mut modes = Vec::new();
    while !tokens.is_at_end() {
        let (name, value) = if tokens.take_all(&["isolation", "level"]) {
            let level = if tokens.take_all(&["read", "committed"]) {
                "read committed"
            } else if tokens.take_all(&["read", "uncommitted"]) {
                "read uncommitted"
            } else if tokens.take_all(&["repeatable", "read"]) {
                "repeatable read"
            } else if tokens.take("serializable") {
                "serializable"
            } else {
                return Err(tokens.unexpected());
            };
            ("isolation", level)
        } else if tokens.take_all(&["read", "only"]) {
            ("read_only", "on")
        } else if tokens.take_all(&["read", "write"]) {
            ("read_only", "off")
        } else if tokens.take("deferrable") {
            ("deferrable", "on")
        } else if tokens.take_all(&["not", "deferrable"]) {
            ("deferrable", "off")
        } else {
            return Err(tokens.unexpected());
        };
        modes.push((format!("transaction_{name}"), value.to_owned()));
        tokens.take_sign(&Token::Comma);
    }
    Ok(modes)
}

fn set(tokens: &mut Tokens<'_>) -> Result<Command, Failure> {
    let tag = "SET";
    if tokens.take_all(&["session", "characteristics", "as", "transaction"]) {
        let default = |(name, value)| (format!("default_{name}"), Some(value));
        let settings = transaction_modes(tokens)?.into_iter().map(default).collect();
        return Ok(Command::Set { settings, lasting: Lasting::Session, tag });
    }
    if tokens.take("transaction") {
        let settings = transaction_modes(tokens)?.into_iter();
        let settings = settings.map(|(name, value)| (name, Some(value))).collect();
        return Ok(Command::Set { settings, lasting: Lasting::Transaction, tag });
    }
    let lasting = if tokens.take("local") {
        Lasting::Transaction
    } else {
        // A setting could be called `session`, but none is.
        tokens.take("session");
        Lasting::Session
    };
    let is_zone = tokens.take_all(&["time", "zone"]);
    let is_names = !is_zone && tokens.take("names");
    let name = if is_zone {
        "timezone".to_owned()
    } else if is_names {
        "client_encoding".to_owned()
    } else {
        let name = setting_name(tokens)?;
        if !tokens.take_sign(&Token::Eq) {
            tokens.expect("to")?;
        }
        name
    };
    let is_default = tokens.take("default") || is_zone && tokens.take("local");
    let value = if is_default { None } else { Some(values(tokens)?) };
    Ok(Command::Set { settings: vec![(name, value)], lasting, tag })
}

/// The name of a setting, of which some are spelt in words.
fn setting_name(tokens: &mut Tokens<'_>) -> Result<String, Failure> {
    let spelt = [
        (["time", "zone"].as_slice(), "timezone"),
        (&["transaction", "isolation", "level"], "transaction_isolation"),
        (&["session", "authorization"], "session_authorization"),
    ];
    for (words, name) in spelt {
        if tokens.take_all(words) {
            return Ok(name.to_owned());
        }
    }
    let mut name = tokens.name()?;
    while tokens.take_sign(&Token::Period) {
        name = format!("{name}.{}", tokens.name()?);
    }
    Ok(name)
}

fn values(tokens: &mut Tokens<'_>) -> Result<String, Failure> {
    let mut values = vec![tokens.value()?];
    while tokens.take_sign(&Token::Comma) {
        values.push(tokens.value()?);
    }
    Ok(values.join(", "))
}

fn declare(tokens: &mut Tokens<'_>) -> Result<Command, Failure> {
    let cursor = tokens.name()?;
    loop {
        if tokens.take_all(&["no", "scroll"]) || tokens.take_any(&["asensitive", "insensitive"]) {
            continue;
        }
        if tokens.clone().take_any(&["binary", "scroll"]) {
            let message = "only cursors that go forward and give text are supported";
            return Err(Failure::error(code::FEATURE_NOT_SUPPORTED, message));
        }
        break;
    }
    tokens.expect("cursor")?;
    let is_held = tokens.take_all(&["with", "hold"]);
    tokens.take_all(&["without", "hold"]);
    tokens.expect("for")?;
    let query = only_query(&tokens.rest()?)?;
    Ok(Command::Declare { cursor, query, is_held })
}

/// A query within another statement.
fn only_query(tokens: &Tokens<'_>) -> Result<Query, Failure> {
    if tokens.begins_with(&["select", "with", "values", "table"])
        || tokens.clone().take_sign(&Token::LParen)
    {
        return Query::of(tokens);
    }
    match read(tokens.clone()) {
        Err(failure) => Err(failure),
        Ok(_) => Err(tokens.unexpected()),
    }
}

fn fetch_count(tokens: &mut Tokens<'_>) -> Result<Count, Failure> {
    let backward = || {
        Failure::error(code::NOT_IN_THIS_STATE, "cursor can only scan forward")
            .with_hint("Declare it once more to start again.")
    };
    if tokens.take_any(&["backward", "prior", "first", "last", "absolute", "relative"])
        || tokens.take_sign(&Token::Minus)
    {
        return Err(backward());
    }
    let is_forward = tokens.take("forward");
    let count = if tokens.take("all") {
        Count::All
    } else if !is_forward && tokens.take("next") {
        Count::Rows(1)
    } else if let Ok(digits) = tokens.number() {
        Count::Rows(digits.parse().map_err(|_| tokens.unexpected())?)
    } else {
        Count::Rows(1)
    };
    tokens.take_any(&["from", "in"]);
    Ok(count)
}

fn copy(tokens: &mut Tokens<'_>) -> Result<Command, Failure> {
    let refused = |what: &str| Failure::read_only(what).with_hint("Use COPY (SELECT …) TO STDOUT.");
    if !tokens.clone().take_sign(&Token::LParen) {
        return Err(refused("COPY of a table, or from anywhere"));
    }
    let query = only_query(&tokens.in_parentheses()?)?;
    tokens.expect("to")?;
    if !tokens.take("stdout") {
        return Err(refused("COPY to a file or a program"));
    }
    let form = CopyForm::read(tokens)?;
    Ok(Command::Copy { query, form })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(sql: &str) -> Result<Command, Failure> {
        read_all(sql).map(|commands| (*commands[0]).clone())
    }

    #[track_caller]
    fn check_refused(sql: &str, code: &str) {
        let failure = read_one(sql).expect_err(sql);
        assert_eq!(failure.code, code, "{sql}: {failure:?}");
    }

    #[test]
    fn queries_go_to_the_door_as_they_stand() {
        let queries = [
            "select 1",
            "with a as (select 1) select * from a",
            "values (1)",
            "(select 1) union select 2",
            "explain select 1",
            "table events",
            "show tables",
        ];
        for sql in queries {
            let Ok(Command::Query { query, .. }) = read_one(sql) else { panic!("{sql}") };
            assert_eq!(query.sql, sql);
        }
        let Ok(Command::Query { query, .. }) = read_one("  select $1, '渝' ; ") else { panic!() };
        assert_eq!(query, Query { sql: "select $1, '渝'".to_owned(), start: 2, placeholders: 1 });
    }

    #[test]
    fn what_is_no_query_is_refused_as_writing_and_what_is_nothing_as_a_mistake() {
        let writing = [
            "create table t as select 1",
            "drop table event_log",
            "insert into t values (1)",
            "delete from t",
            "update t set a = 1",
            "truncate t",
            "grant select on t to x",
            "vacuum",
            "do $$ begin end $$",
            "copy event_log to '/tmp/x'",
            "copy (select 1) to '/tmp/x'",
            "copy (select 1) to program 'x'",
            "copy t from stdin",
            "copy t to stdout",
            "copy (delete from t) to stdout",
            "declare c cursor for delete from t",
            "lock table t",
            "notify x",
            "load 'x'",
        ];
        for sql in writing {
            check_refused(sql, code::READ_ONLY);
        }
        for sql in ["select $65536", "select $99999999999", "copy (select $65536) to stdout"] {
            check_refused(sql, code::NO_SUCH_PARAMETER);
        }
        for sql in ["prepare p as select 1", "execute p"] {
            check_refused(sql, code::FEATURE_NOT_SUPPORTED);
        }
        for sql in [
            "selec 1",
            "begin select",
            "set",
            "set a",
            "fetch",
            "copy (select 1",
            "\"select\" 1",
            "1",
        ] {
            check_refused(sql, code::SYNTAX);
        }
        assert_eq!(read_one("selec 1").unwrap_err().position, Some(1));
    }

    #[test]
    fn transactions_are_read_in_every_spelling() {
        let begin = |modes: &[(&str, &str)], tag| {
            let modes = modes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Ok(Command::Begin { modes: modes.collect(), tag })
        };
        assert_eq!(read_one("BEGIN"), begin(&[], "BEGIN"));
        assert_eq!(read_one("begin work"), begin(&[], "BEGIN"));
        let modes = [("transaction_isolation", "repeatable read"), ("transaction_read_only", "on")];
        assert_eq!(
            read_one("start transaction isolation level repeatable read, read only"),
            begin(&modes, "START TRANSACTION")
        );
        for sql in ["commit", "COMMIT WORK", "end", "end transaction"] {
            assert_eq!(read_one(sql), Ok(Command::Commit));
        }
        for sql in ["rollback", "abort", "rollback transaction"] {
            assert_eq!(read_one(sql), Ok(Command::Rollback));
        }
        assert_eq!(read_one("savepoint A"), Ok(Command::Savepoint("a".to_owned())));
        assert_eq!(read_one("release a"), Ok(Command::Release("a".to_owned())));
        assert_eq!(
            read_one("rollback to savepoint \"A\""),
            Ok(Command::RollbackTo("A".to_owned()))
        );
    }

    #[test]
    fn settings_are_read_in_every_spelling() {
        let set = |sql: &str| match read_one(sql) {
            Ok(Command::Set { settings, lasting, .. }) => (settings, lasting),
            other => panic!("{sql}: {other:?}"),
        };
        let one =
            |name: &str, value: Option<&str>| vec![(name.to_owned(), value.map(str::to_owned))];
        use Lasting::{Session, Transaction};
        assert_eq!(set("set timezone = 'UTC'"), (one("timezone", Some("UTC")), Session));
        assert_eq!(set("SET TIME ZONE 'UTC'"), (one("timezone", Some("UTC")), Session));
        assert_eq!(set("set session TimeZone to default"), (one("timezone", None), Session));
        assert_eq!(set("set local a.b to on"), (one("a.b", Some("on")), Transaction));
        assert_eq!(set("set search_path to a, \"B\""), (one("search_path", Some("a, B")), Session));
        assert_eq!(
            set("set extra_float_digits = -3"),
            (one("extra_float_digits", Some("-3")), Session)
        );
        assert_eq!(set("set names 'UTF8'"), (one("client_encoding", Some("UTF8")), Session));
        assert_eq!(set("reset timezone"), (one("timezone", None), Session));
        assert_eq!(
            set("set session characteristics as transaction read only"),
            (one("default_transaction_read_only", Some("on")), Session)
        );
        assert_eq!(
            set("set transaction isolation level serializable"),
            (one("transaction_isolation", Some("serializable")), Transaction)
        );
        assert_eq!(read_one("show all"), Ok(Command::Show(None)));
        let isolation = Some("transaction_isolation".to_owned());
        assert_eq!(read_one("show transaction isolation level"), Ok(Command::Show(isolation)));
    }

    #[test]
    fn cursors_and_copies_carry_their_query_with_its_place() {
        let query = Query { sql: "select 1".to_owned(), start: 34, placeholders: 0 };
        let declared = Command::Declare { cursor: "c".to_owned(), query, is_held: true };
        assert_eq!(read_one("declare c cursor with hold for    select 1"), Ok(declared));
        check_refused("declare c scroll cursor for select 1", code::FEATURE_NOT_SUPPORTED);
        let fetch = |sql: &str| match read_one(sql) {
            Ok(Command::Fetch { count, .. } | Command::Move { count, .. }) => count,
            other => panic!("{sql}: {other:?}"),
        };
        assert_eq!(fetch("fetch forward 10 from c"), Count::Rows(10));
        assert_eq!(fetch("fetch c"), Count::Rows(1));
        assert_eq!(fetch("fetch next from c"), Count::Rows(1));
        assert_eq!(fetch("fetch forward all in c"), Count::All);
        assert_eq!(fetch("move 5 in c"), Count::Rows(5));
        check_refused("fetch backward 1 from c", code::NOT_IN_THIS_STATE);
        check_refused("fetch -1 from c", code::NOT_IN_THIS_STATE);
        let Ok(Command::Copy { query, .. }) = read_one("copy ( select (1) ) to stdout") else {
            panic!()
        };
        assert_eq!((query.sql.as_str(), query.start), ("select (1)", 7));
    }
}
