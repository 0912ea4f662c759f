//! Cuts a stream of bytes into chunks of whole lines, in bounded memory.

use std::io::Read;

use crate::source::rows::Rows;

/// How much is read at once.
pub(crate) const CHUNK_BYTES: usize = 4 << 20;
/// How much is read at first.
const SMALL_BYTES: usize = 32 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A run of whole lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The lines with their line ends; only the last line of a file may lack one.
    pub(crate) bytes: Vec<u8>,
    /// A line over the limit, which follows the others.
    pub(crate) overlong: Option<Overlong>,
}

/// A line that is too long to be read: what is kept of it, and its whole length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overlong {
    pub(crate) prefix: Vec<u8>,
    pub(crate) length: usize,
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// At each line feed.
    Plain,
    /// Where a row of CSV does.
    Quoted,
}

/// Reads chunks from a stream.
pub(crate) struct ChunkReader<R> {
    input: R,
    lines: Lines,
    chunk_bytes: usize,
    max_line_bytes: usize,
    carry: Vec<u8>,
    at_start: bool,
    at_end: bool,
}

impl<R: Read> ChunkReader<R> {
    pub(crate) fn new(input: R, lines: Lines, chunk_bytes: usize, max_line_bytes: usize) -> Self {
        let (carry, at_start, at_end) = (Vec::new(), true, false);
        Self { input, lines, chunk_bytes, max_line_bytes, carry, at_start, at_end }
    }

    /// The next chunk; `None` at the end.
    pub(crate) fn next_chunk(&mut self) -> std::io::Result<Option<Chunk>> {
        let mut bytes = std::mem::take(&mut self.carry);
        loop {
            let filled = bytes.len();
            self.fill(&mut bytes)?;
            if self.at_start && bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            self.at_start = false;
            if self.at_end {
                // Of small bodies many are held at once.
                bytes.shrink_to_fit();
                return Ok((!bytes.is_empty()).then_some(Chunk { bytes, overlong: None }));
            }
            let end = match self.lines {
                Lines::Plain => memchr::memrchr(b'\n', &bytes).map_or(0, |position| position + 1),
                Lines::Quoted => Rows::whole_bytes(&bytes, self.max_line_bytes),
            };
            if end > 0 {
                self.carry = bytes.split_off(end);
                return Ok(Some(Chunk { bytes, overlong: None }));
            }
            if bytes.len() > self.max_line_bytes {
                return self.skip_overlong(bytes).map(Some);
            }
            debug_assert!(bytes.len() > filled, "a chunk that is not at its end grows");
        }
    }

    fn fill(&mut self, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let filled = bytes.len();
        // Most bodies that are pushed are small, and memory for a chunk costs more than reading them.
        for wanted in [self.chunk_bytes.min(SMALL_BYTES), self.chunk_bytes] {
            let missing = wanted - (bytes.len() - filled);
            bytes.reserve_exact(missing);
            let read = self.input.by_ref().take(missing as u64).read_to_end(bytes)?;
            self.at_end = read < missing;
            if self.at_end {
                break;
            }
        }
        Ok(())
    }

    /// Reads on to the end of a line over the limit, keeping only its beginning.
    fn skip_overlong(&mut self, bytes: Vec<u8>) -> std::io::Result<Chunk> {
        let mut length = bytes.len();
        let mut prefix = bytes;
        prefix.truncate(self.max_line_bytes);
        loop {
            let mut more = Vec::new();
            self.fill(&mut more)?;
            if let Some(position) = memchr::memchr(b'\n', &more) {
                length += position;
                self.carry = more.split_off(position + 1);
                break;
            }
            length += more.len();
            if self.at_end {
                break;
            }
        }
        Ok(Chunk { bytes: Vec::new(), overlong: Some(Overlong { prefix, length }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(input: &[u8], lines: Lines, max_line_bytes: usize) -> Vec<Chunk> {
        let mut reader = ChunkReader::new(input, lines, CHUNK_BYTES, max_line_bytes);
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.next_chunk().unwrap() {
            chunks.push(chunk);
        }
        chunks
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_line() {
        let chunks = read_all(b"\xef\xbb\xbf{}\n", Lines::Plain, 100);
        assert_eq!(chunks, [Chunk { bytes: b"{}\n".to_vec(), overlong: None }]);
    }

    #[test]
    fn a_line_over_the_limit_keeps_its_beginning_and_the_next_line_is_read() {
        let mut input = vec![b'x'; 9 << 20];
        input.extend_from_slice(b"\n{}\n");
        let chunks = read_all(&input, Lines::Plain, 10);
        let overlong = Overlong { prefix: vec![b'x'; 10], length: 9 << 20 };
        assert_eq!(chunks[0], Chunk { bytes: Vec::new(), overlong: Some(overlong) });
        assert_eq!(chunks[1], Chunk { bytes: b"{}\n".to_vec(), overlong: None });
        assert_eq!(chunks.len(), 2);
    }

    #[test]
    fn a_last_line_over_the_limit_is_kept_whole() {
        let chunks = read_all(b"{}\n0123456789x", Lines::Plain, 10);
        assert_eq!(chunks, [Chunk { bytes: b"{}\n0123456789x".to_vec(), overlong: None }]);
    }

    #[test]
    fn a_quote_that_never_closes_ends_with_its_line() {
        let mut input = b"a,\"b\n".to_vec();
        while input.len() < 2 * CHUNK_BYTES {
            input.extend_from_slice(b"c,d\n");
        }
        let chunks = read_all(&input, Lines::Quoted, 1 << 20);
        assert!(
            chunks.iter().all(|chunk| chunk.overlong.is_none() && chunk.bytes.len() <= CHUNK_BYTES)
        );
        assert_eq!(chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>(), input.len());
    }

    #[test]
    fn a_line_feed_inside_quotes_does_not_end_a_row() {
        let mut input = b"a,\"".to_vec();
        input.extend(std::iter::repeat_n(b'\n', CHUNK_BYTES - 3));
        input.extend_from_slice(b"\",c\nd,e,f\n");
        let chunks = read_all(&input, Lines::Quoted, 64 << 20);
        assert_eq!(chunks.len(), 1);
        assert_eq!(chunks[0].bytes, input);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_between_chunks(input in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let bytes: Vec<u8> =
                read_all(&input, Lines::Plain, 1 << 20).into_iter().flat_map(|chunk| chunk.bytes).collect();
            let expected = input.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&input);
            prop_assert_eq!(&bytes[..], expected);
        }
    }
}
