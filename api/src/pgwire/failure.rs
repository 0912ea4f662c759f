//! What went wrong, as PostgreSQL says it: a SQLSTATE, a message, and where the client can point at it.

use crate::sql_door::{Mistake, Refused};

/// The SQLSTATEs that this server uses.
pub(super) mod code {
    pub(crate) const WARNING_ACTIVE_TRANSACTION: &str = "25001";
    pub(crate) const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub(crate) const PROTOCOL_VIOLATION: &str = "08P01";
    pub(crate) const NUMBER_OUT_OF_RANGE: &str = "22003";
    pub(crate) const DATETIME_OUT_OF_RANGE: &str = "22008";
    pub(crate) const DIVISION_BY_ZERO: &str = "22012";
    pub(crate) const BAD_ENCODING: &str = "22021";
    pub(crate) const INVALID_VALUE: &str = "22023";
    pub(crate) const INVALID_TEXT: &str = "22P02";
    pub(crate) const INVALID_BINARY: &str = "22P03";
    pub(crate) const READ_ONLY: &str = "25006";
    pub(crate) const NO_TRANSACTION: &str = "25P01";
    pub(crate) const FAILED_TRANSACTION: &str = "25P02";
    pub(crate) const IDLE_IN_TRANSACTION: &str = "25P03";
    pub(crate) const NO_SUCH_STATEMENT: &str = "26000";
    pub(crate) const LOGIN_REFUSED: &str = "28000";
    pub(crate) const WRONG_PASSWORD: &str = "28P01";
    pub(crate) const NO_SUCH_CURSOR: &str = "34000";
    pub(crate) const NO_SUCH_SAVEPOINT: &str = "3B001";
    pub(crate) const SYNTAX_OR_ACCESS: &str = "42000";
    pub(crate) const NOT_ALLOWED: &str = "42501";
    pub(crate) const SYNTAX: &str = "42601";
    pub(crate) const NO_SUCH_COLUMN: &str = "42703";
    pub(crate) const NO_SUCH_SETTING: &str = "42704";
    pub(crate) const NO_SUCH_FUNCTION: &str = "42883";
    pub(crate) const NO_SUCH_TABLE: &str = "42P01";
    pub(crate) const NO_SUCH_PARAMETER: &str = "42P02";
    pub(crate) const CURSOR_EXISTS: &str = "42P03";
    pub(crate) const STATEMENT_EXISTS: &str = "42P05";
    pub(crate) const OUT_OF_MEMORY: &str = "53200";
    pub(crate) const TOO_MANY: &str = "53300";
    pub(crate) const LIMIT_EXCEEDED: &str = "54000";
    pub(crate) const NOT_IN_THIS_STATE: &str = "55000";
    pub(crate) const CANNOT_CHANGE: &str = "55P02";
    pub(crate) const CANCELED: &str = "57014";
    pub(crate) const SHUTTING_DOWN: &str = "57P01";
    pub(crate) const INTERNAL: &str = "XX000";
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// The statement did what it could.
    Warning,
    /// The statement has failed.
    Error,
    /// The connection ends.
    Fatal,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// What is told a client in an ErrorResponse or a NoticeResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) severity: Severity,
    /// The SQLSTATE.
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) detail: Option<String>,
    pub(super) hint: Option<String>,
    /// The character of the statement, counted from 1.
    pub(super) position: Option<usize>,
}

impl Failure {
    /// A statement that failed.
    pub(super) fn error(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, code, message, detail: None, hint: None, position: None }
    }

    /// An end of the connection.
    pub(super) fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fatal, ..Self::error(code, message) }
    }

    /// Something to say about a statement that succeeded.
    pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// A message that does not follow the protocol; what comes after it cannot be trusted.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::fatal(code::PROTOCOL_VIOLATION, message)
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(super) fn at(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }

    /// A statement that was stopped; `by` completes "canceling statement due to".
    pub(super) fn canceled(by: &str) -> Self {
        Self::error(code::CANCELED, format!("canceling statement due to {by}"))
    }

    /// Anything but a query.
    pub(super) fn read_only(what: &str) -> Self {
        Self::error(
            code::READ_ONLY,
            format!("cannot execute {what}: this server is read-only and only answers queries"),
        )
    }

    /// A refusal of the door for `sql`, which begins after `chars_before` characters of what the client sent.
    pub(super) fn of_refused(refused: &Refused, sql: &str, chars_before: usize) -> Self {
        match refused {
            Refused::Statement(mistake) => Self::of_mistake(mistake, sql, chars_before),
            Refused::Busy(_) => Self::error(code::TOO_MANY, refused.to_string()),
            Refused::TooLong(_) => {
                Self::canceled("statement timeout").with_detail(refused.to_string())
            }
            Refused::Forbidden(_) => Self::error(code::NOT_ALLOWED, refused.to_string()),
            Refused::TooManyRows(_) | Refused::TooManyBytes(_) => {
                Self::error(code::LIMIT_EXCEEDED, refused.to_string())
            }
            Refused::TooMuchMemory(_) => Self::error(code::OUT_OF_MEMORY, refused.to_string()),
            Refused::Failed(told) => Self::error(code_of_failure(told), told.clone()),
        }
    }

    fn of_mistake(mistake: &Mistake, sql: &str, chars_before: usize) -> Self {
        let failure = Self {
            hint: mistake.suggestion.as_ref().map(|name| format!("Did you mean `{name}`?")),
            ..Self::error(code_of_mistake(&mistake.message), mistake.message.clone())
        };
        match mistake.place.and_then(|place| char_at(sql, place)) {
            Some(index) => failure.at(chars_before + index + 1),
            None => failure,
        }
    }
}

/// The index of the character at a line and a column, both counted from 1.
pub(super) fn char_at(sql: &str, (line, column): (u64, u64)) -> Option<usize> {
    let lines_before = usize::try_from(line.checked_sub(1)?).ok()?;
    let in_line = usize::try_from(column.checked_sub(1)?).ok()?;
    let mut lines = sql.split_inclusive('\n');
    let before: usize = lines.by_ref().take(lines_before).map(|line| line.chars().count()).sum();
    // A mistake at the end is one past the last character.
    (in_line <= lines.next().unwrap_or_default().chars().count()).then_some(before + in_line)
}

/// The engine has no codes of its own, so that its words have to tell.
fn code_of_mistake(message: &str) -> &'static str {
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if says(&[
        "DDL not supported",
        "DML not supported",
        "Statement not supported",
        "Query INSERT",
        "Query UPDATE",
        "Query DELETE",
        "Query MERGE",
    ]) {
        code::READ_ONLY
    } else if says(&[
        "sql parser error",
        "ParserError",
        "TokenizerError",
        "Unsupported SQL statement",
    ]) {
        code::SYNTAX
    } else if says(&[
        "the statement is longer than",
        "the statement names more than",
        "the statement has more than",
        "deep in each other",
        "RecursionLimitExceeded",
        "` would make ",
    ]) {
        code::LIMIT_EXCEEDED
    } else if message.contains("table '") && message.contains("not found") {
        code::NO_SUCH_TABLE
    } else if says(&["there is no column", "No field named"]) {
        code::NO_SUCH_COLUMN
    } else if says(&[
        "Invalid function",
        "No function matches",
        "There is no UDF",
        "Failed to coerce arguments",
    ]) || message.contains("unction '") && message.contains("not found")
    {
        code::NO_SUCH_FUNCTION
    } else if says(&["not implemented", "not supported", "Unsupported"]) {
        code::FEATURE_NOT_SUPPORTED
    } else {
        code::SYNTAX_OR_ACCESS
    }
}

fn code_of_failure(told: &str) -> &'static str {
    let says = |part: &str| told.contains(part);
    if says("Divide by zero") {
        code::DIVISION_BY_ZERO
    } else if says("verflow") || says("Can't cast value") {
        code::NUMBER_OUT_OF_RANGE
    } else if says("Cannot cast string") || says("Error parsing") || says("Parser error") {
        code::INVALID_TEXT
    } else {
        code::INTERNAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_becomes_a_position_counted_in_characters_of_what_was_sent() {
        let sql = "select '渝北',\n  orgid from events";
        assert_eq!(char_at(sql, (1, 1)), Some(0));
        assert_eq!(char_at(sql, (2, 3)), Some(15));
        assert_eq!(sql.chars().nth(15), Some('o'));
        assert_eq!(char_at(sql, (3, 1)), Some(sql.chars().count()));
        assert_eq!(char_at(sql, (1, 99)), None);
        let mistake = Mistake {
            message: "there is no column `orgid`".to_owned(),
            place: Some((2, 3)),
            suggestion: Some("org_id".to_owned()),
        };
        let failure = Failure::of_refused(&Refused::Statement(mistake), sql, 10);
        assert_eq!((failure.code, failure.position), ("42703", Some(26)));
        assert_eq!(failure.hint.as_deref(), Some("Did you mean `org_id`?"));
    }

    #[test]
    fn what_the_engine_says_becomes_a_code_that_clients_know() {
        let code = |message: &str| {
            let mistake = Mistake { message: message.to_owned(), ..Mistake::default() };
            Failure::of_refused(&Refused::Statement(mistake), "", 0).code
        };
        assert_eq!(code("sql parser error: Expected: an expression"), "42601");
        assert_eq!(code("table 'lake.public.evnts' not found"), "42P01");
        assert_eq!(code("there is no column `orgid`"), "42703");
        assert_eq!(code("Invalid function 'coumt'"), "42883");
        assert_eq!(code("DML not supported: Insert Into"), "25006");
        let failed =
            |told: &str| Failure::of_refused(&Refused::Failed(told.to_owned()), "", 0).code;
        assert_eq!(failed("Divide by zero error"), "22012");
        assert_eq!(failed("the disk is on fire"), "XX000");
        assert_eq!(Failure::of_refused(&Refused::Busy(3), "", 0).code, "53300");
    }
}
