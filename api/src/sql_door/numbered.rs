//! Question marks for parameters, as ODBC, JDBC and Python write them, become `$1`, `$2` …

use std::borrow::Cow;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::placed::{Placed, place};

/// The statement with its question marks numbered. One that cannot be read stays as it is: the engine says what is wrong
/// with it, and where.
pub fn numbered(sql: &str) -> Cow<'_, str> {
    if !sql.contains('?') {
        return Cow::Borrowed(sql);
    }
    let Ok(tokens) = place(&GenericDialect {}, sql) else { return Cow::Borrowed(sql) };
    let mut told = String::with_capacity(sql.len() + 16);
    let mut number = 0;
    for Placed { token, start, end } in tokens {
        match token {
            Token::Placeholder(name) if name == "?" => {
                number += 1;
                told.push_str(&format!("${number}"));
            }
            _ => told.push_str(&sql[start..end]),
        }
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
