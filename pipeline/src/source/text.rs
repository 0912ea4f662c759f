//! Makes text of whatever bytes a source sends: told by a byte order mark, by the mapping, or by a header in Chinese.

use std::io::{Cursor, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, UTF_16BE, UTF_16LE};

/// How much of a stream is looked at before it is read.
const SNIFFED_BYTES: usize = 64 << 10;
const TRANSCODED_BYTES: usize = 64 << 10;
/// The most bytes of one character in any encoding, which stay in view when the next are read.
const CHARACTER_BYTES_MAX: usize = 8;

/// A stream whose beginning has been looked at.
pub(crate) type Text = Box<dyn Read + Send>;

/// Which encoding the rows are in where nothing else tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// The first line is one of the rows.
    No,
    /// The first line names the columns: what is not UTF-8 there, and is GB 18030, is a file of that encoding.
    Yes,
}

/// The stream as UTF-8. What is wrong in its own encoding stays as it is, so that it is refused, and kept, with its line.
pub(crate) fn as_utf8(
    mut input: Text,
    named: Option<&'static Encoding>,
    header: Header,
) -> std::io::Result<Text> {
    let start = beginning(&mut input)?;
    let encoding = match Encoding::for_bom(&start) {
        Some((encoding, _)) if encoding == UTF_16LE || encoding == UTF_16BE => Some(encoding),
        Some(_) => None,
        None => named.filter(|encoding| *encoding != encoding_rs::UTF_8).or_else(|| {
            let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
            (header == Header::Yes && std::str::from_utf8(line).is_err() && is_gb18030(line))
                .then_some(GB18030)
        }),
    };
    let whole: Text = Box::new(Cursor::new(start).chain(input));
    Ok(match encoding {
        None => whole,
        Some(encoding) => Box::new(Transcoder::new(whole, encoding)),
    })
}

/// The first bytes of a stream, as many as are looked at.
pub(crate) fn beginning(input: &mut Text) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    input.by_ref().take(SNIFFED_BYTES as u64).read_to_end(&mut start)?;
    Ok(start)
}

fn is_gb18030(bytes: &[u8]) -> bool {
    GB18030.decode_without_bom_handling_and_without_replacement(bytes).is_some()
}

/// Turns another encoding into UTF-8, byte for byte where it is wrong.
struct Transcoder {
    input: Text,
    decoder: Decoder,
    raw: Vec<u8>,
    /// The bytes of `raw` that have been turned.
    used: usize,
    ready: Vec<u8>,
    given: usize,
    at_end: bool,
}

impl Transcoder {
    fn new(input: Text, encoding: &'static Encoding) -> Self {
        Self {
            input,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: Vec::new(),
            used: 0,
            ready: Vec::new(),
            given: 0,
            at_end: false,
        }
    }

    /// Turns the next bytes; nothing is ready afterwards only at the end.
    fn refill(&mut self) -> std::io::Result<()> {
        self.ready.clear();
        self.given = 0;
        while self.ready.is_empty() && !(self.at_end && self.used == self.raw.len()) {
            if self.used == self.raw.len() {
                self.raw.drain(..self.used.saturating_sub(CHARACTER_BYTES_MAX));
                self.used = self.raw.len();
                let mut input = self.input.by_ref().take(TRANSCODED_BYTES as u64);
                self.at_end = input.read_to_end(&mut self.raw)? < TRANSCODED_BYTES;
            }
            self.turn();
        }
        Ok(())
    }

    fn turn(&mut self) {
        let rest = &self.raw[self.used..];
        let room = self.decoder.max_utf8_buffer_length_without_replacement(rest.len());
        self.ready.resize(room.unwrap_or(3 * rest.len() + 16), 0);
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(rest, &mut self.ready, self.at_end);
        self.ready.truncate(written);
        self.used += read;
        if let DecoderResult::Malformed(wrong, after) = result {
            // The wrong bytes end `after` bytes before what has been read, maybe in the piece before.
            let end = self.used - usize::from(after);
            let start = end.saturating_sub(usize::from(wrong));
            let wrong_bytes = &self.raw[start..end];
            if std::str::from_utf8(wrong_bytes).is_ok() {
                self.ready.push(0xff);
            }
            self.ready.extend_from_slice(wrong_bytes);
        }
    }
}

impl Read for Transcoder {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.given == self.ready.len() {
            self.refill()?;
        }
        let given = (self.ready.len() - self.given).min(buffer.len());
        buffer[..given].copy_from_slice(&self.ready[self.given..self.given + given]);
        self.given += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], named: Option<&'static Encoding>, header: Header) -> Vec<u8> {
        let mut read = Vec::new();
        as_utf8(Box::new(Cursor::new(bytes.to_vec())), named, header)
            .unwrap()
            .read_to_end(&mut read)
            .unwrap();
        read
    }

    fn gb(text: &str) -> Vec<u8> {
        GB18030.encode(text).0.into_owned()
    }

    #[test]
    fn a_csv_whose_header_is_gbk_is_read_as_gbk() {
        let text = "单位,罚款金额\n龙塔街道,1.5\n";
        assert_eq!(read(&gb(text), None, Header::Yes), text.as_bytes());
        assert_eq!(read(text.as_bytes(), None, Header::Yes), text.as_bytes());
    }

    #[test]
    fn lines_without_a_header_are_gbk_only_if_the_mapping_says_so() {
        let text = "{\"单位\":\"龙塔街道\"}\n";
        assert_eq!(read(&gb(text), None, Header::No), gb(text));
        assert_eq!(read(&gb(text), Some(GB18030), Header::No), text.as_bytes());
    }

    #[test]
    fn a_mark_of_utf_16_wins_over_the_mapping() {
        let text = "单位,时间\n";
        let bytes: Vec<u8> =
            [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&bytes, Some(GB18030), Header::Yes), text.as_bytes());
    }

    #[test]
    fn wrong_bytes_stay_wrong_and_their_neighbours_are_read() {
        let mut bytes = gb("单位\n");
        bytes.extend_from_slice(b"a\xff\n");
        bytes.extend_from_slice(&gb("龙塔\n"));
        let read = read(&bytes, Some(GB18030), Header::No);
        let lines: Vec<_> = read.split(|byte| *byte == b'\n').collect();
        assert_eq!(lines[0], "单位".as_bytes());
        assert!(std::str::from_utf8(lines[1]).is_err());
        assert_eq!(lines[2], "龙塔".as_bytes());
    }

    #[test]
    fn wrong_bytes_stay_as_they_are_where_a_piece_ends_in_them() {
        for before in TRANSCODED_BYTES - 3..=TRANSCODED_BYTES {
            let mut bytes = vec![b'a'; before];
            bytes.extend_from_slice(b"\x81\x30\x81\nb");
            assert!(
                read(&bytes, Some(GB18030), Header::No).ends_with(b"aa\x81\x30\x81\nb"),
                "{before}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_comes_back_out_of_gb18030(text in "\\PC{0,3000}") {
            // As much as crosses the pieces in which it is turned.
            let long = text.repeat(1 + (3 * TRANSCODED_BYTES) / (text.len() + 1));
            prop_assert_eq!(read(&gb(&long), Some(GB18030), Header::No), long.as_bytes());
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            read(&bytes, Some(GB18030), Header::Yes);
            read(&bytes, Some(UTF_16LE), Header::No);
            prop_assert_eq!(read(&bytes, None, Header::No).len() >= bytes.len().saturating_sub(1), true);
        }
    }
}
