//! Cuts JSON arrays into their elements, one a line, in bounded memory.

use std::io::Read;

use crate::source::chunk::{Chunk, Overlong};

/// Reads arrays of objects, one after the other, as chunks of lines.
///
/// An element is a line whatever its own line ends, so that lines are counted by elements. What stands outside of
/// arrays is a line too: nothing is passed over, and the judge of lines refuses what is no object. An array that is
/// not closed gives one line more, `[`, which is refused.
pub(crate) struct ArrayReader<R> {
    input: R,
    chunk_bytes: usize,
    max_line_bytes: usize,
    place: Place,
    piece: Vec<u8>,
    /// How much of the piece has been read.
    read: usize,
    /// Whole lines, then the beginning of the next.
    lines: Vec<u8>,
    /// Where the line begins that is not whole yet.
    line_start: usize,
    /// The length of a line that has grown over the limit; only its beginning is kept.
    overlong: Option<usize>,
    at_end: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before or after an array.
    Outside,
    /// In a line that belongs to no array.
    Stray,
    /// Before an element, or the end of the array.
    Between,
    /// In an element, within so many brackets of its own.
    Element(u32),
    /// In a text of an element.
    Text(u32),
    /// After a backslash in a text.
    Escaped(u32),
}

impl<R: Read> ArrayReader<R> {
    pub(crate) fn new(input: R, chunk_bytes: usize, max_line_bytes: usize) -> Self {
        Self {
            input,
            chunk_bytes,
            max_line_bytes,
            place: Place::Outside,
            piece: Vec::new(),
            read: 0,
            lines: Vec::new(),
            line_start: 0,
            overlong: None,
            at_end: false,
        }
    }

    /// The next chunk; `None` at the end.
    pub(crate) fn next_chunk(&mut self) -> std::io::Result<Option<Chunk>> {
        loop {
            while let Some(byte) = self.piece.get(self.read).copied() {
                self.read += 1;
                if let Some(overlong) = self.take(byte) {
                    return Ok(Some(self.chunk(Some(overlong))));
                }
            }
            if self.line_start >= self.chunk_bytes {
                return Ok(Some(self.chunk(None)));
            }
            if self.at_end {
                let overlong = self.close();
                let is_over = self.line_start == 0 && overlong.is_none();
                return Ok((!is_over).then(|| self.chunk(overlong)));
            }
            self.piece.clear();
            self.read = 0;
            self.input.by_ref().take(self.chunk_bytes as u64).read_to_end(&mut self.piece)?;
            self.at_end = self.piece.len() < self.chunk_bytes;
        }
    }

    /// The whole lines so far.
    fn chunk(&mut self, overlong: Option<Overlong>) -> Chunk {
        let begun = self.lines.split_off(self.line_start);
        self.line_start = 0;
        Chunk { bytes: std::mem::replace(&mut self.lines, begun), overlong }
    }

    /// Takes one byte; returns a line that ends with it and is too long.
    fn take(&mut self, byte: u8) -> Option<Overlong> {
        self.place = match (self.place, byte) {
            (Place::Outside, b'[') => Place::Between,
            (Place::Between, b']') => Place::Outside,
            (Place::Between, b',') => Place::Between,
            (place @ (Place::Outside | Place::Between), _) if byte.is_ascii_whitespace() => place,
            (Place::Outside, _) => self.keep(byte, Place::Stray),
            (Place::Stray, b'\n') => return self.end_line(Place::Outside),
            (Place::Stray, _) => self.keep(byte, Place::Stray),
            (Place::Element(0), b',') => return self.end_line(Place::Between),
            (Place::Element(0), b']') => return self.end_line(Place::Outside),
            (Place::Between, _) => self.keep(byte, within(0, byte)),
            // Between texts a line end is a space.
            (Place::Element(depth), b'\n' | b'\r') => self.keep(b' ', Place::Element(depth)),
            (Place::Element(depth), _) => self.keep(byte, within(depth, byte)),
            (Place::Text(depth), b'"') => self.keep(byte, Place::Element(depth)),
            (Place::Text(depth), b'\\') => self.keep(byte, Place::Escaped(depth)),
            // A line feed in a text is wrong, and so is the other line end, which leaves the element one line.
            (Place::Text(depth) | Place::Escaped(depth), b'\n') => {
                self.keep(b'\r', Place::Text(depth))
            }
            (Place::Text(depth) | Place::Escaped(depth), _) => self.keep(byte, Place::Text(depth)),
        };
        None
    }

    /// Keeps a byte of a line.
    fn keep(&mut self, byte: u8, place: Place) -> Place {
        match &mut self.overlong {
            Some(length) => *length += 1,
            None => {
                self.lines.push(byte);
                let length = self.lines.len() - self.line_start;
                self.overlong = (length > self.max_line_bytes).then_some(length);
            }
        }
        place
    }

    fn end_line(&mut self, place: Place) -> Option<Overlong> {
        self.place = place;
        if let Some(length) = self.overlong.take() {
            let mut prefix = self.lines.split_off(self.line_start);
            prefix.truncate(self.max_line_bytes);
            return Some(Overlong { prefix, length });
        }
        let written = self.lines[self.line_start..].trim_ascii_end().len();
        self.lines.truncate(self.line_start + written);
        self.lines.push(b'\n');
        self.line_start = self.lines.len();
        None
    }

    /// Ends what the end of the input leaves open.
    fn close(&mut self) -> Option<Overlong> {
        match self.place {
            Place::Outside => None,
            Place::Stray => self.end_line(Place::Outside),
            Place::Between => {
                self.keep(b'[', Place::Between);
                self.end_line(Place::Outside)
            }
            Place::Element(_) | Place::Text(_) | Place::Escaped(_) => self.end_line(Place::Between),
        }
    }
}

/// Where a byte of an element leads that is neither in a text nor ends the element.
fn within(depth: u32, byte: u8) -> Place {
    match byte {
        b'"' => Place::Text(depth),
        b'{' | b'[' => Place::Element(depth.saturating_add(1)),
        b'}' | b']' => Place::Element(depth.saturating_sub(1)),
        _ => Place::Element(depth),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::chunk::CHUNK_BYTES;
    use proptest::prelude::*;

    fn lines(input: &[u8]) -> Vec<String> {
        let mut reader = ArrayReader::new(input, CHUNK_BYTES, 1 << 20);
        let mut lines = Vec::new();
        while let Some(chunk) = reader.next_chunk().unwrap() {
            assert_eq!(chunk.overlong, None);
            let text = String::from_utf8_lossy(&chunk.bytes).into_owned();
            lines.extend(text.lines().map(str::to_owned));
        }
        lines
    }

    #[test]
    fn an_element_is_a_line_whatever_its_own_line_ends() {
        assert_eq!(
            lines(b"[\n  {\"a\":\n 1},\n  {\"b\": \"],[\\\"\"}\n]\n"),
            ["{\"a\":  1}", "{\"b\": \"],[\\\"\"}"]
        );
        assert_eq!(lines(b" [] "), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_array_is_a_line_and_another_array_may_follow() {
        assert_eq!(
            lines(b"[{\"a\":1}]\n[2]\nnone\n{\"c\":3}"),
            ["{\"a\":1}", "2", "none", "{\"c\":3}"]
        );
    }

    #[test]
    fn an_array_that_is_not_closed_gives_a_line_more() {
        assert_eq!(lines(b"[{\"a\":1}, "), ["{\"a\":1}", "["]);
        assert_eq!(lines(b"[{\"a\":1}, {\"b\":"), ["{\"a\":1}", "{\"b\":", "["]);
        assert_eq!(lines(b"["), ["["]);
    }

    #[test]
    fn an_element_with_a_line_feed_in_a_text_is_one_line_and_no_json() {
        let read = lines(b"[\"a\n{}\n\\\nb\",{\"c\":3}]");
        assert_eq!(read, ["\"a\r{}\r\\\rb\"", "{\"c\":3}"]);
        assert!(serde_json::from_str::<serde_json::Value>(&read[0]).is_err());
    }

    #[test]
    fn an_element_over_the_limit_keeps_its_beginning_and_the_next_is_read() {
        let input = b"[{\"a\":1},{\"long\":\"0123456789\"},{\"b\":2}]";
        let mut reader = ArrayReader::new(&input[..], CHUNK_BYTES, 10);
        let first = reader.next_chunk().unwrap().unwrap();
        let overlong = Overlong { prefix: b"{\"long\":\"0".to_vec(), length: 21 };
        assert_eq!(first, Chunk { bytes: b"{\"a\":1}\n".to_vec(), overlong: Some(overlong) });
        let second = reader.next_chunk().unwrap().unwrap();
        assert_eq!(second, Chunk { bytes: b"{\"b\":2}\n".to_vec(), overlong: None });
        assert_eq!(reader.next_chunk().unwrap(), None);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i32>().prop_map(serde_json::Value::from),
            "[\\[\\]{}\",\\\\ \n\u{4e2d}a]{0,8}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::btree_map("[a\"\\]]{1,3}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_lines_are_the_elements(
            elements in proptest::collection::vec(json(), 0..6), pretty in any::<bool>(),
        ) {
            let array = serde_json::Value::from(elements.clone());
            let written =
                if pretty { serde_json::to_string_pretty(&array) } else { serde_json::to_string(&array) };
            let read: Vec<serde_json::Value> = lines(written.unwrap().as_bytes())
                .iter()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            prop_assert_eq!(read, elements);
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..500), max in 1_usize..100) {
            let mut reader = ArrayReader::new(&bytes[..], CHUNK_BYTES, max);
            while let Some(chunk) = reader.next_chunk().unwrap() {
                prop_assert!(chunk.bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= max));
            }
        }
    }
}
