//! The words of a statement with their places, for what is not sent to the door as it stands.
//!
//! Read by the tokenizer of PostgreSQL's dialect. The statements that sessions need are small, and of most of them a
//! part has to be sent on word by word, which a syntax tree no longer has.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenizerError};

use super::failure::{Failure, char_at, code};
use crate::sql_door::{Placed, place};

/// The words of one statement, read from the first to the last.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    source: &'a str,
    placed: Vec<Placed>,
    at: usize,
}

/// The statements of a text, without those that are empty.
pub(super) fn split(source: &str) -> Result<Vec<Tokens<'_>>, Failure> {
    let mut statements = Vec::new();
    let mut placed = Vec::new();
    let mut finish = |placed: &mut Vec<Placed>| {
        if !placed.is_empty() {
            statements.push(Tokens { source, placed: std::mem::take(placed), at: 0 });
        }
    };
    let all =
        place(&PostgreSqlDialect {}, source).map_err(|error| untokenizable(source, &error))?;
    for one in all {
        match one.token {
            Token::SemiColon => finish(&mut placed),
            Token::Whitespace(_) | Token::EOF => {}
            _ => placed.push(one),
        }
    }
    finish(&mut placed);
    Ok(statements)
}

fn untokenizable(source: &str, error: &TokenizerError) -> Failure {
    let place = (error.location.line, error.location.column);
    let failure = Failure::error(code::SYNTAX, error.message.clone());
    match char_at(source, place) {
        Some(index) => failure.at(index + 1),
        None => failure,
    }
}

impl<'a> Tokens<'a> {
    /// The statement's text.
    pub(super) fn text(&self) -> &'a str {
        let start = self.placed.first().map_or(0, |one| one.start);
        let end = self.placed.last().map_or(start, |one| one.end);
        &self.source[start..end]
    }

    /// How many characters of the source come before a byte of it.
    fn chars_before(&self, offset: usize) -> usize {
        self.source[..offset].chars().count()
    }

    /// How many characters of the source come before the statement.
    pub(super) fn start(&self) -> usize {
        self.chars_before(self.placed.first().map_or(0, |one| one.start))
    }

    /// The highest `$n`.
    pub(super) fn placeholders(&self) -> usize {
        let number = |one: &Placed| match &one.token {
            Token::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        };
        self.placed.iter().filter_map(number).max().unwrap_or(0)
    }

    fn peek(&self) -> Option<&Token> {
        self.placed.get(self.at).map(|one| &one.token)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.placed.len()
    }

    /// Whether nothing has been read yet of a statement that begins like this.
    pub(super) fn begins_with(&self, words: &[&str]) -> bool {
        words.iter().any(|word| is_word(self.placed.first().map(|one| &one.token), word))
    }

    /// Reads a word if it comes next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let is_next = is_word(self.peek(), word);
        self.at += usize::from(is_next);
        is_next
    }

    /// Reads words if all of them come next.
    pub(super) fn take_all(&mut self, words: &[&str]) -> bool {
        let before = self.at;
        let all = words.iter().all(|word| self.take(word));
        if !all {
            self.at = before;
        }
        all
    }

    pub(super) fn take_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take(word))
    }

    /// Reads a sign if it comes next.
    pub(super) fn take_sign(&mut self, sign: &Token) -> bool {
        let is_next = self.peek() == Some(sign);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), Failure> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn expect_sign(&mut self, sign: &Token) -> Result<(), Failure> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn expect_end(&self) -> Result<(), Failure> {
        if self.is_at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Reads a name; one without quotes is in lower case.
    pub(super) fn name(&mut self) -> Result<String, Failure> {
        let name = match self.peek() {
            Some(Token::Word(word)) if word.quote_style.is_some() => word.value.clone(),
            Some(Token::Word(word)) => word.value.to_lowercase(),
            Some(Token::DoubleQuotedString(name)) => name.clone(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(name)
    }

    /// Reads a text in quotes.
    pub(super) fn quoted(&mut self) -> Result<String, Failure> {
        let text = match self.peek() {
            Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => {
                text.clone()
            }
            Some(Token::DollarQuotedString(text)) => text.value.clone(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(text)
    }

    /// Reads a number, without its sign.
    pub(super) fn number(&mut self) -> Result<String, Failure> {
        let Some(Token::Number(digits, _)) = self.peek() else { return Err(self.unexpected()) };
        let digits = digits.clone();
        self.at += 1;
        Ok(digits)
    }

    /// Reads a text in quotes, a number or a word.
    pub(super) fn value(&mut self) -> Result<String, Failure> {
        if self.take_sign(&Token::Minus) {
            return Ok(format!("-{}", self.number()?));
        }
        self.quoted().or_else(|_| self.number()).or_else(|_| self.name())
    }

    /// Reads whatever is left, as a statement of its own.
    pub(super) fn rest(&mut self) -> Result<Self, Failure> {
        if self.is_at_end() {
            return Err(self.unexpected());
        }
        let placed = self.placed.split_off(self.at);
        Ok(Self { placed, at: 0, source: self.source })
    }

    /// Reads what stands in parentheses, as a statement of its own.
    pub(super) fn in_parentheses(&mut self) -> Result<Self, Failure> {
        self.expect_sign(&Token::LParen)?;
        let start = self.at;
        let mut depth = 1;
        while let Some(token) = self.peek() {
            depth += match token {
                Token::LParen => 1,
                Token::RParen => -1,
                _ => 0,
            };
            self.at += 1;
            if depth == 0 {
                let placed = self.placed[start..self.at - 1].to_vec();
                return Ok(Self { placed, at: 0, source: self.source });
            }
        }
        Err(self.unexpected())
    }

    /// What comes next does not belong here.
    pub(super) fn unexpected(&self) -> Failure {
        match self.placed.get(self.at) {
            Some(one) => {
                let found = self.source[one.start..one.end].trim_end();
                Failure::error(code::SYNTAX, format!("syntax error at or near \"{found}\""))
                    .at(self.chars_before(one.start) + 1)
            }
            None => Failure::error(code::SYNTAX, "syntax error at end of input")
                .at(self.chars_before(self.placed.last().map_or(0, |one| one.end)) + 1),
        }
    }
}

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(found)) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<&str> {
        split(source).unwrap().iter().map(Tokens::text).collect()
    }

    #[test]
    fn a_text_is_split_at_semicolons_that_end_statements_and_at_no_others() {
        assert_eq!(texts(" select 1 ; select ';' ;; "), ["select 1", "select ';'"]);
        assert_eq!(
            texts("select $$;$$; -- ;\n select /* ; */ 2"),
            ["select $$;$$", "select /* ; */ 2"]
        );
        assert_eq!(texts("-- ping"), Vec::<&str>::new());
        assert_eq!(texts(";"), Vec::<&str>::new());
        assert_eq!(
            texts("select '渝;北' as \"单;位\";\nselect\n2"),
            ["select '渝;北' as \"单;位\"", "select\n2"]
        );
        let second = &split("select '渝北';\n select 2").unwrap()[1];
        assert_eq!(second.start(), 14);
    }

    #[test]
    fn a_text_that_cannot_be_read_says_where() {
        let failure = split("select 1;\nselect 'open").unwrap_err();
        assert_eq!((failure.code, failure.position), ("42601", Some(18)));
    }

    #[test]
    fn placeholders_are_counted_where_they_are_some() {
        let count = |source: &str| split(source).unwrap()[0].placeholders();
        assert_eq!(count("select $2, $1, '$7', $$ $8 $$"), 2);
        assert_eq!(count("select 1"), 0);
    }
}
