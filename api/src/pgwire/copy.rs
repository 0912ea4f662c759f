//! `COPY (SELECT …) TO STDOUT`: rows as text, as CSV, or in PostgreSQL's binary form.

use bytes::{BufMut, BytesMut};
use chrono_tz::Tz;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::failure::{Failure, code};
use super::tokens::Tokens;
use super::types::Shape;
use super::values::Column;
use super::wire::{Format, put_count};

/// What begins a binary copy: a signature, no flags, no extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The kind of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Text,
    Csv,
    Binary,
}

/// How rows are copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CopyForm {
    layout: Layout,
    delimiter: u8,
    null: String,
    quote: u8,
    escape: u8,
    has_header: bool,
}

/// What the options of a COPY say; the rest is the layout's own.
#[derive(Debug, Default)]
struct Options {
    layout: Option<Layout>,
    delimiter: Option<u8>,
    null: Option<String>,
    quote: Option<u8>,
    escape: Option<u8>,
    has_header: bool,
}

impl CopyForm {
    /// Reads the options of a COPY, in the newer spelling, with parentheses, or in the older one.
    pub(super) fn read(tokens: &mut Tokens<'_>) -> Result<Self, Failure> {
        let mut options = Options::default();
        tokens.take("with");
        if tokens.take_sign(&Token::LParen) {
            loop {
                options.read_one(tokens)?;
                if !tokens.take_sign(&Token::Comma) {
                    break;
                }
            }
            tokens.expect_sign(&Token::RParen)?;
        } else {
            while !tokens.is_at_end() {
                options.read_one_of_old(tokens)?;
            }
        }
        options.check()
    }

    pub(super) fn format(&self) -> Format {
        if self.layout == Layout::Binary { Format::Binary } else { Format::Text }
    }

    /// What comes before the first row, in the same message as that.
    pub(super) fn head(&self) -> &'static [u8] {
        if self.layout == Layout::Binary { BINARY_HEADER } else { b"" }
    }

    /// What comes after the last row.
    pub(super) fn tail(&self) -> &'static [u8] {
        if self.layout == Layout::Binary { &[0xff, 0xff] } else { b"" }
    }

    /// The line with the names of the columns, where one is asked for.
    pub(super) fn names(&self, shapes: &[Shape]) -> Option<BytesMut> {
        if !self.has_header {
            return None;
        }
        let mut line = BytesMut::new();
        for (index, shape) in shapes.iter().enumerate() {
            self.separate(index, &mut line);
            self.put_text(shape.name.as_bytes(), shapes.len() == 1, &mut line);
        }
        line.put_u8(b'\n');
        Some(line)
    }

    /// Writes a row.
    pub(super) fn put_row(
        &self,
        columns: &[Column],
        row: usize,
        zone: Tz,
        out: &mut BytesMut,
    ) -> Result<(), Failure> {
        if self.layout == Layout::Binary {
            put_count(out, columns.len());
            return columns
                .iter()
                .try_for_each(|column| column.write(row, Format::Binary, zone, out));
        }
        let mut text = BytesMut::new();
        for (index, column) in columns.iter().enumerate() {
            self.separate(index, out);
            if column.is_null(row) {
                out.put_slice(self.null.as_bytes());
                continue;
            }
            text.clear();
            column.write_text(row, zone, &mut text)?;
            self.put_text(&text, columns.len() == 1, out);
        }
        out.put_u8(b'\n');
        Ok(())
    }

    fn separate(&self, index: usize, out: &mut BytesMut) {
        if index > 0 {
            out.put_u8(self.delimiter);
        }
    }

    fn put_text(&self, text: &[u8], is_alone: bool, out: &mut BytesMut) {
        match self.layout {
            Layout::Csv => self.put_csv(text, is_alone, out),
            _ => self.put_escaped(text, out),
        }
    }

    fn put_escaped(&self, text: &[u8], out: &mut BytesMut) {
        for byte in text {
            let letter = match byte {
                b'\\' => b'\\',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x08 => b'b',
                0x0b => b'v',
                0x0c => b'f',
                byte if *byte == self.delimiter => *byte,
                byte => {
                    out.put_u8(*byte);
                    continue;
                }
            };
            out.put_slice(&[b'\\', letter]);
        }
    }

    /// Quotes what would be read as something else; a lone `\.` would be read as the end.
    fn put_csv(&self, text: &[u8], is_alone: bool, out: &mut BytesMut) {
        let is_special = |byte: &u8| [self.delimiter, self.quote, b'\n', b'\r'].contains(byte);
        let needs_quotes = text == self.null.as_bytes()
            || text.iter().any(is_special)
            || is_alone && text == b"\\.";
        if !needs_quotes {
            out.put_slice(text);
            return;
        }
        out.put_u8(self.quote);
        for byte in text {
            if [self.quote, self.escape].contains(byte) {
                out.put_u8(self.escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(self.quote);
    }
}

impl Options {
    fn read_one(&mut self, tokens: &mut Tokens<'_>) -> Result<(), Failure> {
        if tokens.take("format") {
            self.layout = Some(match tokens.value()?.as_str() {
                "text" => Layout::Text,
                "csv" => Layout::Csv,
                "binary" => Layout::Binary,
                other => return Err(wrong(&format!("COPY format \"{other}\" not recognized"))),
            });
            return Ok(());
        }
        if tokens.take("header") {
            let value = tokens.value().unwrap_or_else(|_| "true".to_owned());
            self.has_header = matches!(value.as_str(), "true" | "on" | "1");
            return Ok(());
        }
        self.read_character(tokens)
    }

    fn read_one_of_old(&mut self, tokens: &mut Tokens<'_>) -> Result<(), Failure> {
        if tokens.take("csv") {
            self.layout = Some(Layout::Csv);
        } else if tokens.take("binary") {
            self.layout = Some(Layout::Binary);
        } else if tokens.take("header") {
            self.has_header = true;
        } else {
            return self.read_character(tokens);
        }
        Ok(())
    }

    fn read_character(&mut self, tokens: &mut Tokens<'_>) -> Result<(), Failure> {
        let quoted = |tokens: &mut Tokens<'_>| {
            tokens.take("as");
            tokens.quoted()
        };
        let single = |text: String| match text.as_bytes() {
            [byte] if byte.is_ascii() && !b"\n\r\\".contains(byte) => Ok(*byte),
            _ => Err(wrong("COPY separators and quotes are single characters")),
        };
        if tokens.take("delimiter") {
            self.delimiter = Some(single(quoted(tokens)?)?);
        } else if tokens.take("null") {
            self.null = Some(quoted(tokens)?);
        } else if tokens.take("quote") {
            self.quote = Some(single(quoted(tokens)?)?);
        } else if tokens.take("escape") {
            self.escape = Some(single(quoted(tokens)?)?);
        } else if tokens.take("encoding") {
            let encoding = quoted(tokens)?;
            if !["utf8", "utf-8"].contains(&encoding.to_ascii_lowercase().as_str()) {
                return Err(wrong("COPY writes UTF-8"));
            }
        } else {
            return Err(tokens.unexpected());
        }
        Ok(())
    }

    fn check(self) -> Result<CopyForm, Failure> {
        let layout = self.layout.unwrap_or(Layout::Text);
        let has_texts = self.delimiter.is_some() || self.null.is_some() || self.has_header;
        if layout == Layout::Binary && has_texts {
            return Err(wrong("a binary COPY has no delimiter, null or header"));
        }
        if layout != Layout::Csv && (self.quote.is_some() || self.escape.is_some()) {
            return Err(wrong("only a CSV has quotes"));
        }
        let is_csv = layout == Layout::Csv;
        let quote = self.quote.unwrap_or(b'"');
        let form = CopyForm {
            layout,
            delimiter: self.delimiter.unwrap_or(if is_csv { b',' } else { b'\t' }),
            null: self.null.unwrap_or_else(|| if is_csv { "" } else { "\\N" }.to_owned()),
            quote,
            escape: self.escape.unwrap_or(quote),
            has_header: self.has_header,
        };
        if is_csv && form.delimiter == form.quote {
            return Err(wrong("the delimiter and the quote of a CSV are different"));
        }
        Ok(form)
    }
}

fn wrong(message: &str) -> Failure {
    Failure::error(code::INVALID_VALUE, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;
    use crate::pgwire::tokens::split;
    use crate::pgwire::types::{kind_of, written_as};

    fn form(options: &str) -> Result<CopyForm, Failure> {
        match split(options)?.first_mut() {
            Some(tokens) => CopyForm::read(tokens),
            None => Options::default().check(),
        }
    }

    fn written(options: &str, texts: &[Option<&str>]) -> String {
        let form = form(options).unwrap();
        let arrays: [ArrayRef; 2] = [
            Arc::new(StringArray::from(texts.to_vec())),
            Arc::new((0..).take(texts.len()).collect::<Int64Array>()),
        ];
        let columns = arrays.map(|array| {
            let arrow = written_as(array.data_type());
            let shape = Shape { name: "c".to_owned(), kind: kind_of(&arrow), arrow };
            Column::new(&array, &shape).unwrap()
        });
        let mut out = form.names(&Shape::texts(&["a", "n,o"])).unwrap_or_default();
        for row in 0..texts.len() {
            form.put_row(&columns, row, Tz::UTC, &mut out).unwrap();
        }
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn rows_are_copied_as_postgresql_copies_them() {
        let texts = [Some("a\tb\\c\nd"), None, Some(""), Some("x,\"y\"")];
        assert_eq!(written("", &texts), "a\\tb\\\\c\\nd\t0\n\\N\t1\n\t2\nx,\"y\"\t3\n");
        let csv = "\"a\tb\\c\nd\",0\n";
        assert_eq!(written("csv", &texts), format!("{csv},1\n\"\",2\n\"x,\"\"y\"\"\",3\n"));
        assert_eq!(written("with (format csv, header)", &[]), "a,\"n,o\"\n");
        assert_eq!(written("csv header delimiter ';' null '-'", &[None]), "a;n,o\n-;0\n");
        assert_eq!(
            written("(format 'csv', quote '''', delimiter '|')", &[Some("it's|")]),
            "'it''s|'|0\n"
        );
    }

    #[test]
    fn options_that_contradict_are_refused() {
        for options in [
            "binary header",
            "(format parquet)",
            "quote '\"'",
            "csv delimiter 'ab'",
            "csv delimiter '\"'",
            "csv encoding 'GBK'",
        ] {
            assert_eq!(form(options).unwrap_err().code, code::INVALID_VALUE, "{options}");
        }
        assert_eq!(form("csv force nonsense").unwrap_err().code, code::SYNTAX);
        assert_eq!(form("(format binary)").unwrap().format(), Format::Binary);
    }
}
