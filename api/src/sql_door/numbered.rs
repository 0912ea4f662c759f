//! Question marks for parameters, as ODBC, JDBC and Python write them, become `$1`, `$2` …

use std::borrow::Cow;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// The statement with its question marks numbered. One that cannot be read stays as it is: the engine says what is wrong
/// with it, and where.
pub fn numbered(sql: &str) -> Cow<'_, str> {
    if !sql.contains('?') {
        return Cow::Borrowed(sql);
    }
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location() else {
        return Cow::Borrowed(sql);
    };
    let is_mark = |token: &Token| matches!(token, Token::Placeholder(name) if name == "?");
    let mut marks = tokens
        .iter()
        .filter(|one| is_mark(&one.token))
        .map(|one| (one.span.start.line, one.span.start.column))
        .peekable();
    let mut told = String::with_capacity(sql.len() + 16);
    let (mut line, mut column, mut number) = (1, 1, 0);
    for letter in sql.chars() {
        if marks.next_if_eq(&(line, column)).is_some() {
            number += 1;
            told.push_str(&format!("${number}"));
        } else {
            told.push(letter);
        }
        (line, column) = if letter == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    Cow::Owned(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_are_numbered_where_they_stand_for_values_and_nowhere_else() {
        assert_eq!(numbered("select 1"), "select 1");
        assert_eq!(
            numbered("select ?, '执法?', \"a?\" -- ?\nfrom t /* ? */ where x = ? and y in (?,?)"),
            "select $1, '执法?', \"a?\" -- ?\nfrom t /* ? */ where x = $2 and y in ($3,$4)"
        );
        assert_eq!(numbered("select $1, '?"), "select $1, '?");
    }
}
