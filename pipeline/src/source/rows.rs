//! Finds where the rows of CSV end, whatever their quotes look like, in one pass.
//!
//! A quote opens a field at its start, two are one inside it, and behind the one that closes it letters may follow, as a
//! CSV reader has it. A row ends at a line end outside quotes. One of several lines is *broken* when a quote is open at the
//! end of all rows or has letters behind it: the quote was left open in one line and met the opening one of a later line.
//! A broken row costs its first line, and the next line begins a row. Cutting rows into chunks and reading them
//! both go by this file, so that a row is the same wherever a chunk ends.

use csv_core::ReadRecordResult;

/// A row, or the first line of a broken one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row<'b> {
    /// Its bytes without the line end.
    pub(crate) bytes: &'b [u8],
    /// The number of its first line, from 1.
    pub(crate) line: u64,
    /// Whether a quote does not close.
    pub(crate) is_broken: bool,
}

/// The rows of some bytes that begin with one; empty lines are passed over.
#[derive(Debug)]
pub(crate) struct Rows<'b> {
    bytes: &'b [u8],
    /// What has been read.
    start: usize,
    line: u64,
    /// Up to here a row that does not end in its first line is known to be broken: it goes on as an earlier broken row did.
    broken_to: usize,
}

impl<'b> Rows<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, start: 0, line: 1, broken_to: 0 }
    }

    /// The number of bytes that have been read, and of line feeds in them.
    pub(crate) fn read(&self) -> (usize, u64) {
        (self.start, self.line - 1)
    }

    /// Passes over line ends; returns where the last line feed among them ends.
    fn skip_line_ends(&mut self) -> Option<usize> {
        let mut end = None;
        while let Some(byte @ (b'\r' | b'\n')) = self.bytes.get(self.start) {
            self.start += 1;
            if *byte == b'\n' {
                self.line += 1;
                end = Some(self.start);
            }
        }
        end
    }

    /// Looks at the row that begins here, only at its first line where that is enough.
    fn look(&self) -> Look {
        if self.start < self.broken_to {
            let look = Look::at(self.bytes, self.start, Extent::Line);
            if look.first_break.is_none_or(|position| position < self.broken_to) {
                return Look { is_broken: look.first_break.is_some(), ..look };
            }
        }
        Look::at(self.bytes, self.start, Extent::Row)
    }

    /// Remembers up to where a later row of several lines is as broken as this one, since it has no end or letters behind a
    /// quote: at a line feed both are inside quotes, so that they go on alike.
    fn note_broken(&mut self, look: &Look, has_no_end: bool) {
        let broken_to = if has_no_end { self.bytes.len() } else { look.last_letter.unwrap_or(0) };
        if self.start >= self.broken_to {
            self.broken_to = broken_to;
        }
    }

    /// How many of the bytes are whole rows, when more bytes follow.
    ///
    /// A row that has not ended after `max_row_bytes` is broken, so that it does not keep all others waiting.
    pub(crate) fn whole_bytes(bytes: &[u8], max_row_bytes: usize) -> usize {
        let mut rows = Rows::new(bytes);
        let mut whole = 0;
        loop {
            whole = rows.skip_line_ends().unwrap_or(whole);
            let look = rows.look();
            match (look.end, look.first_break) {
                (Some(end), _) if !look.is_broken => rows.start = end,
                (None, _) if bytes.len() - rows.start <= max_row_bytes => return whole,
                (_, None) => return whole,
                (_, Some(first_break)) => {
                    rows.note_broken(&look, look.end.is_none());
                    rows.start = first_break;
                }
            }
        }
    }
}

impl<'b> Iterator for Rows<'b> {
    type Item = Row<'b>;

    fn next(&mut self) -> Option<Row<'b>> {
        self.skip_line_ends();
        if self.start == self.bytes.len() {
            return None;
        }
        let (look, start, line) = (self.look(), self.start, self.line);
        let is_broken = look.is_broken || look.is_open;
        if is_broken {
            self.note_broken(&look, look.is_open);
        }
        let end = if is_broken { look.first_break } else { look.end };
        self.start = end.unwrap_or(self.bytes.len());
        let bytes = &self.bytes[start..self.start];
        if look.first_break.is_some() {
            self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
        }
        Some(Row { bytes, line, is_broken })
    }
}

/// How far a row is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// To the end of its first line.
    Line,
    /// To its end.
    Row,
}

/// What a row looks like.
#[derive(Debug, Default)]
struct Look {
    /// Where its line end stands; `None` when there is none outside quotes.
    end: Option<usize>,
    /// Where the first line feed inside quotes stands.
    first_break: Option<usize>,
    /// Where the last letter stands right behind a quote that closes.
    last_letter: Option<usize>,
    /// Whether a quote is open at the end of what was looked at.
    is_open: bool,
    /// Whether it has several lines, and its quotes are not those of one row.
    is_broken: bool,
}

impl Look {
    fn at(bytes: &[u8], start: usize, extent: Extent) -> Self {
        let mut look = Self::default();
        let mut next = start;
        for offset in memchr::memchr3_iter(b'"', b'\n', b'\r', &bytes[start..]) {
            let position = start + offset;
            if position < next {
                continue;
            }
            match (bytes[position], look.is_open) {
                (b'"', true) => match bytes.get(position + 1) {
                    Some(b'"') => next = position + 2,
                    Some(b',' | b'\r' | b'\n') | None => look.is_open = false,
                    Some(_) => {
                        look.is_open = false;
                        look.last_letter = Some(position + 1);
                    }
                },
                (b'"', false) => look.is_open = position == start || bytes[position - 1] == b',',
                (_, false) => {
                    look.end = Some(position);
                    break;
                }
                (b'\n', true) => {
                    look.first_break.get_or_insert(position);
                    if extent == Extent::Line {
                        break;
                    }
                }
                (_, true) => {}
            }
        }
        look.is_broken = look.first_break.is_some() && look.last_letter.is_some();
        look
    }
}

/// The fields of one row.
pub(crate) struct Fields {
    reader: csv_core::Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Fields {
    pub(crate) fn new() -> Self {
        let mut reader = csv_core::Reader::new();
        // A reader drops a byte order mark from what it reads first, and a row may begin with one anywhere.
        reader.read_record(b"\n", &mut [0], &mut [0]);
        Self { reader, bytes: Vec::new(), ends: Vec::new(), count: 0 }
    }

    /// Parts a row that is not broken.
    pub(crate) fn part(&mut self, row: &[u8]) -> &Self {
        // A row has no more bytes than are written and no more fields than commas.
        self.bytes.resize(self.bytes.len().max(row.len() + 1), 0);
        let mut input = row;
        let mut written = 0;
        self.count = 0;
        loop {
            if self.count == self.ends.len() {
                self.ends.resize(2 * self.count + 16, 0);
            }
            let (bytes, ends) = (&mut self.bytes[written..], &mut self.ends[self.count..]);
            let (result, read, added, ended) = self.reader.read_record(input, bytes, ends);
            written += added;
            self.count += ended;
            input = &input[read..];
            match result {
                ReadRecordResult::InputEmpty => input = b"\n",
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::Record | ReadRecordResult::End => return self,
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The bytes of all of them.
    pub(crate) fn total_bytes(&self) -> usize {
        self.ends[..self.count].last().copied().unwrap_or(0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends[..self.count].iter().map(move |end| {
            let field = &self.bytes[start..*end];
            start = *end;
            field
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rows with the numbers of their lines; broken ones end in an exclamation mark.
    fn rows(bytes: &[u8]) -> Vec<(u64, String)> {
        let told = |row: Row<'_>| {
            let mark = if row.is_broken { "!" } else { "" };
            (row.line, format!("{}{mark}", String::from_utf8_lossy(row.bytes)))
        };
        Rows::new(bytes).map(told).collect()
    }

    /// The rows of chunks that are cut out of what comes in pieces of so many bytes.
    fn rows_in_pieces(bytes: &[u8], piece: usize) -> Vec<(u64, String)> {
        let (mut start, mut end, mut line) = (0, 0, 0);
        let mut read = Vec::new();
        loop {
            end = bytes.len().min(end + piece);
            let is_last = end == bytes.len();
            let waiting = &bytes[start..end];
            let whole =
                if is_last { waiting.len() } else { Rows::whole_bytes(waiting, usize::MAX) };
            let chunk = &waiting[..whole];
            read.extend(rows(chunk).into_iter().map(|(number, row)| (line + number, row)));
            line += memchr::memchr_iter(b'\n', chunk).count() as u64;
            start += whole;
            if is_last {
                return read;
            }
        }
    }

    #[test]
    fn a_row_ends_at_a_line_end_outside_quotes() {
        assert_eq!(
            rows(b"a,\"b\r\n\"\"c\"\"\"\r\n\n5\" d,e\rf,\"g\"h"),
            [
                (1, "a,\"b\r\n\"\"c\"\"\"".to_owned()),
                (4, "5\" d,e".to_owned()),
                (4, "f,\"g\"h".to_owned()),
            ]
        );
    }

    #[test]
    fn a_broken_row_costs_its_first_line() {
        assert_eq!(
            rows(b"\"a\nb,\"c\"\n\"d\"e\n\"f\n"),
            [
                (1, "\"a!".to_owned()),
                (2, "b,\"c\"".to_owned()),
                (3, "\"d\"e".to_owned()),
                (4, "\"f!".to_owned()),
            ]
        );
    }

    #[test]
    fn rows_that_never_end_are_told_in_one_pass() {
        let bytes = b"x\"\"\",\"\n".repeat(200_000);
        let broken = Rows::new(&bytes).filter(|row| row.is_broken).count();
        assert_eq!(broken, 200_000);
        assert_eq!(Rows::whole_bytes(&bytes, usize::MAX), 0);
        // All but those that may still end.
        assert_eq!(Rows::whole_bytes(&bytes, 7_000), bytes.len() - 7_000);
    }

    #[test]
    fn fields_are_parted_as_a_reader_of_csv_does_and_a_mark_inside_is_a_letter() {
        let mut fields = Fields::new();
        for (row, expected) in [
            ("a,\"b,\"\"c\n\",", vec!["a", "b,\"c\n", ""]),
            ("\u{feff}d", vec!["\u{feff}d"]),
            ("\"\"", vec![""]),
            ("\"e\"f,5\" g", vec!["ef", "5\" g"]),
        ] {
            let parted: Vec<_> = fields.part(row.as_bytes()).iter().collect();
            let expected: Vec<_> = expected.iter().map(|field| field.as_bytes()).collect();
            assert_eq!(parted, expected);
        }
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_wherever_a_chunk_ends(
            marks in proptest::collection::vec(proptest::sample::select(b"\"\"\"\n\n\r,,ab".as_slice()), 0..60),
            piece in 1_usize..12,
        ) {
            prop_assert_eq!(rows_in_pieces(&marks, piece), rows(&marks));
        }

        #[test]
        fn what_a_writer_of_csv_writes_is_read_as_its_rows(
            written in proptest::collection::vec(proptest::collection::vec("[\",\r\nab]{0,5}", 1..4), 0..6),
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &written {
                writer.write_record(row).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            let mut fields = Fields::new();
            let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
            let read: Vec<Vec<String>> =
                Rows::new(&bytes).map(|row| fields.part(row.bytes).iter().map(text).collect()).collect();
            prop_assert_eq!(read, written);
        }
    }
}
