//! The words and signs of a statement with their places in bytes; the tokenizer counts lines and characters.

use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, TokenizerError};

/// A word or sign of a statement, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Every token of a text, white space among them.
pub(crate) fn place(dialect: &dyn Dialect, source: &str) -> Result<Vec<Placed>, TokenizerError> {
    let tokens = Tokenizer::new(dialect, source).tokenize_with_location()?;
    let mut characters = source.char_indices();
    let (mut line, mut column, mut offset) = (1, 1, 0);
    let mut placed: Vec<Placed> = Vec::new();
    for one in tokens {
        let start = one.span.start;
        while (line, column) < (start.line, start.column) {
            let Some((_, character)) = characters.next() else { break };
            offset = characters.offset();
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        if let Some(last) = placed.last_mut() {
            last.end = offset;
        }
        placed.push(Placed { token: one.token, start: offset, end: source.len() });
    }
    Ok(placed)
}
