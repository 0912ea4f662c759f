//! Messages on the wire: whole ones in, no larger than allowed; out, as many at a time as fit a buffer.
//!
//! The frontend's messages are read here rather than by `pgwire`, whose decoder trusts the counts and lengths within a
//! message and panics when they lie.

use std::io;

use ::pgwire::api::Type;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::failure::{Failure, Severity, code};

/// Bytes of one message before somebody has logged in, as in PostgreSQL.
pub(super) const LOGIN_BYTES_MAX: usize = 10_000;

/// Bytes of one message afterwards: a statement and its parameters. The door's own limit on statements is lower.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// What a client may send ahead while a statement of its runs.
const AHEAD_BYTES_MAX: usize = 64 << 10;

/// Answers go out in pieces of about this size.
const CHUNK_BYTES: usize = 64 << 10;

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target),
    Execute {
        portal: String,
        rows_max: i32,
    },
    Close(Target),
    Flush,
    Sync,
    /// The SASL exchange.
    Password(Bytes),
    Terminate,
    /// Data of a COPY that this server never asks for.
    CopyIn,
    /// A whole message with something in it that cannot be read.
    Unreadable {
        failure: Failure,
        is_simple: bool,
    },
}

/// Values for a prepared statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) portal: String,
    pub(super) statement: String,
    pub(super) parameter_formats: Vec<Format>,
    pub(super) parameters: Vec<Option<Bytes>>,
    pub(super) result_formats: Vec<Format>,
}

/// What a Describe or a Close is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Statement(String),
    Portal(String),
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
}

impl Format {
    fn of_code(code: u16) -> Result<Self, Failure> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            other => Err(Failure::protocol(format!("there is no format {other}"))),
        }
    }

    fn code(self) -> u16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

/// The body of a message, read with checks.
struct Body(Bytes);

impl Body {
    fn need(&self, bytes: usize) -> Result<(), Failure> {
        if self.0.remaining() < bytes {
            return Err(Failure::protocol("a message ends before what it announces"));
        }
        Ok(())
    }

    fn u8(&mut self) -> Result<u8, Failure> {
        self.need(1)?;
        Ok(self.0.get_u8())
    }

    fn u16(&mut self) -> Result<u16, Failure> {
        self.need(2)?;
        Ok(self.0.get_u16())
    }

    fn i32(&mut self) -> Result<i32, Failure> {
        self.need(4)?;
        Ok(self.0.get_i32())
    }

    fn bytes(&mut self, length: usize) -> Result<Bytes, Failure> {
        self.need(length)?;
        Ok(self.0.split_to(length))
    }

    fn text(&mut self) -> Result<String, Failure> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| Failure::protocol("a text in a message has no end"))?;
        let bytes = self.bytes(end)?;
        self.0.advance(1);
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Failure::error(code::BAD_ENCODING, "a text in a message is not UTF-8"))
    }

    fn formats(&mut self) -> Result<Vec<Format>, Failure> {
        (0..self.u16()?).map(|_| Format::of_code(self.u16()?)).collect()
    }

    fn target(&mut self) -> Result<Target, Failure> {
        match self.u8()? {
            b'S' => Ok(Target::Statement(self.text()?)),
            b'P' => Ok(Target::Portal(self.text()?)),
            _ => {
                Err(Failure::protocol("a Describe or Close is about neither statement nor portal"))
            }
        }
    }

    fn bind(&mut self) -> Result<Bind, Failure> {
        let (portal, statement) = (self.text()?, self.text()?);
        let parameter_formats = self.formats()?;
        let mut parameters = Vec::new();
        for _ in 0..self.u16()? {
            parameters.push(match usize::try_from(self.i32()?) {
                Ok(length) => Some(self.bytes(length)?),
                Err(_) => None,
            });
        }
        let result_formats = self.formats()?;
        Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
    }

    fn types(&mut self) -> Result<Vec<u32>, Failure> {
        (0..self.u16()?).map(|_| Ok(self.i32()?.cast_unsigned())).collect()
    }
}

fn read(kind: u8, body: Bytes) -> Result<Message, Failure> {
    let mut body = Body(body);
    Ok(match kind {
        b'Q' => Message::Query(body.text()?),
        b'P' => Message::Parse { name: body.text()?, sql: body.text()?, types: body.types()? },
        b'B' => Message::Bind(body.bind()?),
        b'D' => Message::Describe(body.target()?),
        b'E' => Message::Execute { portal: body.text()?, rows_max: body.i32()? },
        b'C' => Message::Close(body.target()?),
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'p' => Message::Password(body.0),
        b'X' => Message::Terminate,
        b'd' | b'c' | b'f' => Message::CopyIn,
        other => {
            return Err(Failure::protocol(format!("there is no message of type {other:#04x}")));
        }
    })
}

/// What comes in.
pub(super) struct Input {
    stream: Box<dyn AsyncRead + Send + Unpin>,
    bytes: BytesMut,
    /// Bytes that a message may have.
    pub(super) limit: usize,
}

impl Input {
    /// `begun` is what has been read already.
    pub(super) fn new(stream: impl AsyncRead + Send + Unpin + 'static, begun: &[u8]) -> Self {
        Self { stream: Box::new(stream), bytes: BytesMut::from(begun), limit: LOGIN_BYTES_MAX }
    }

    /// The next message; `None` when the client has gone. May be dropped and asked again.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Failure> {
        if !self.has(5).await {
            return Ok(None);
        }
        let kind = self.bytes[0];
        let length = (&self.bytes[1..]).get_u32() as usize;
        self.check_length(length)?;
        // The buffer grows with what has arrived, not with what is announced.
        if !self.has(1 + length).await {
            return Ok(None);
        }
        let mut message = self.bytes.split_to(1 + length).freeze();
        message.advance(5);
        match read(kind, message) {
            Err(failure) if failure.severity != Severity::Fatal => {
                Ok(Some(Message::Unreadable { failure, is_simple: kind == b'Q' }))
            }
            read => read.map(Some),
        }
    }

    /// The packet that begins a connection, which has no type.
    pub(super) async fn next_packet(&mut self) -> Result<Option<Bytes>, Failure> {
        if !self.has(4).await {
            return Ok(None);
        }
        let length = (&self.bytes[..]).get_u32() as usize;
        self.check_length(length)?;
        if !self.has(length).await {
            return Ok(None);
        }
        let mut packet = self.bytes.split_to(length).freeze();
        packet.advance(4);
        Ok(Some(packet))
    }

    /// Waits until the client has gone. What it sends meanwhile is kept, within bounds.
    pub(super) async fn gone(&mut self) {
        while self.bytes.len() < AHEAD_BYTES_MAX {
            if !self.fill().await {
                return;
            }
        }
        std::future::pending().await
    }

    fn check_length(&self, length: usize) -> Result<(), Failure> {
        if length < 4 {
            return Err(Failure::protocol("a message is shorter than its own length"));
        }
        if length > self.limit {
            let message = format!("a message of {length} bytes is longer than {}", self.limit);
            return Err(Failure::fatal(code::LIMIT_EXCEEDED, message));
        }
        Ok(())
    }

    /// Whether so many bytes are there, after waiting for them.
    async fn has(&mut self, length: usize) -> bool {
        while self.bytes.len() < length {
            if !self.fill().await {
                return false;
            }
        }
        true
    }

    async fn fill(&mut self) -> bool {
        self.bytes.reserve(8 << 10);
        matches!(self.stream.read_buf(&mut self.bytes).await, Ok(1..))
    }
}

/// A column as a RowDescription tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnHead<'a> {
    pub(super) name: &'a str,
    pub(super) kind: &'a Type,
    pub(super) modifier: i32,
    pub(super) format: Format,
}

/// How a session stands to transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Idle,
    InTransaction,
    Failed,
}

/// What goes out. Messages enter the buffer whole, so that a statement can be stopped at any moment and the next
/// message still begins where one may begin.
pub(super) struct Output {
    stream: Box<dyn AsyncWrite + Send + Unpin>,
    bytes: BytesMut,
}

impl Output {
    pub(super) fn new(stream: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { stream: Box::new(stream), bytes: BytesMut::new() }
    }

    /// Puts a message into the buffer; `write` writes its body.
    pub(super) fn put<T>(&mut self, kind: u8, write: impl FnOnce(&mut BytesMut) -> T) -> T {
        self.bytes.put_u8(kind);
        let start = self.bytes.len();
        self.bytes.put_u32(0);
        let written = write(&mut self.bytes);
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
        written
    }

    /// Like [`Self::put`], but leaves nothing behind when the body fails.
    pub(super) fn try_put(
        &mut self,
        kind: u8,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let start = self.bytes.len();
        self.put(kind, write).inspect_err(|_| self.bytes.truncate(start))
    }

    /// Sends what is buffered if that is a lot: rows wait for a slow reader instead of piling up.
    pub(super) async fn relieve(&mut self) -> io::Result<()> {
        if self.bytes.len() < CHUNK_BYTES {
            return Ok(());
        }
        self.stream.write_all_buf(&mut self.bytes).await
    }

    /// Sends everything.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.bytes).await?;
        self.stream.flush().await
    }

    /// Sends everything and ends the connection.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }

    pub(super) fn authentication(&mut self, kind: i32, data: &[u8]) {
        self.put(b'R', |body| {
            body.put_i32(kind);
            body.put_slice(data);
        });
    }

    pub(super) fn parameter_status(&mut self, name: &str, value: &str) {
        self.put(b'S', |body| {
            put_text(body, name);
            put_text(body, value);
        });
    }

    pub(super) fn key_data(&mut self, pid: i32, secret: i32) {
        self.put(b'K', |body| {
            body.put_i32(pid);
            body.put_i32(secret);
        });
    }

    /// Only version 3.0 is spoken, and none of these options.
    pub(super) fn negotiate_version(&mut self, unknown: &[String]) {
        self.put(b'v', |body| {
            body.put_i32(3 << 16);
            body.put_i32(i32::try_from(unknown.len()).unwrap_or(i32::MAX));
            unknown.iter().for_each(|option| put_text(body, option));
        });
    }

    pub(super) fn ready(&mut self, status: Status) {
        self.put(b'Z', |body| {
            body.put_u8(match status {
                Status::Idle => b'I',
                Status::InTransaction => b'T',
                Status::Failed => b'E',
            });
        });
    }

    pub(super) fn complete(&mut self, tag: &str) {
        self.put(b'C', |body| put_text(body, tag));
    }

    /// A message without a body.
    pub(super) fn bare(&mut self, kind: u8) {
        self.put(kind, |_| ());
    }

    pub(super) fn parameter_description(&mut self, types: &[Type]) {
        self.put(b't', |body| {
            put_count(body, types.len());
            types.iter().for_each(|kind| body.put_u32(kind.oid()));
        });
    }

    pub(super) fn row_description<'a>(
        &mut self,
        columns: impl ExactSizeIterator<Item = ColumnHead<'a>>,
    ) {
        self.put(b'T', |body| {
            put_count(body, columns.len());
            for column in columns {
                put_text(body, column.name);
                // Neither a table nor a column of one: what the door gives has no such ids.
                body.put_u32(0);
                body.put_u16(0);
                body.put_u32(column.kind.oid());
                body.put_i16(size_of_type(column.kind));
                body.put_i32(column.modifier);
                body.put_u16(column.format.code());
            }
        });
    }

    pub(super) fn copy_out(&mut self, format: Format, columns: usize) {
        let format = format.code();
        self.put(b'H', |body| {
            body.put_u8(u8::from(format == 1));
            put_count(body, columns);
            (0..columns).for_each(|_| body.put_u16(format));
        });
    }

    pub(super) fn failure(&mut self, failure: &Failure) {
        let kind = if failure.severity == Severity::Warning { b'N' } else { b'E' };
        self.put(kind, |body| {
            let mut field = |kind: u8, text: &str| {
                body.put_u8(kind);
                put_text(body, text);
            };
            field(b'S', failure.severity.name());
            field(b'V', failure.severity.name());
            field(b'C', failure.code);
            field(b'M', &failure.message);
            failure.detail.iter().for_each(|detail| field(b'D', detail));
            failure.hint.iter().for_each(|hint| field(b'H', hint));
            failure.position.iter().for_each(|position| field(b'P', &position.to_string()));
            body.put_u8(0);
        });
    }
}

/// A count, of which the protocol knows 16 bits.
pub(super) fn put_count(body: &mut BytesMut, count: usize) {
    body.put_u16(u16::try_from(count).unwrap_or(u16::MAX));
}

fn put_text(body: &mut BytesMut, text: &str) {
    // A zero ends a text; what follows it would be taken for the next field.
    body.extend(text.bytes().filter(|byte| *byte != 0));
    body.put_u8(0);
}

fn size_of_type(kind: &Type) -> i16 {
    match *kind {
        Type::BOOL => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => 8,
        Type::INTERVAL => 16,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.put_u32(u32::try_from(body.len()).unwrap() + 4);
        bytes.put_slice(body);
        bytes
    }

    async fn next(bytes: Vec<u8>) -> Result<Option<Message>, Failure> {
        Input::new(io::Cursor::new(bytes), &[]).next().await
    }

    #[tokio::test]
    async fn whole_messages_are_read_and_an_end_in_between_is_the_client_s_going() {
        assert_eq!(next(vec![]).await, Ok(None));
        let query = message(b'Q', b"select 1\0");
        assert_eq!(next(query.clone()).await, Ok(Some(Message::Query("select 1".to_owned()))));
        assert_eq!(next(query[..9].to_vec()).await, Ok(None));
        let bind = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\0";
        let expected = Bind {
            portal: "p".to_owned(),
            statement: "s".to_owned(),
            parameter_formats: vec![Format::Binary],
            parameters: vec![Some(Bytes::from_static(b"x")), None],
            result_formats: vec![],
        };
        assert_eq!(next(message(b'B', bind)).await, Ok(Some(Message::Bind(expected))));
    }

    #[tokio::test]
    async fn a_message_that_lies_about_its_lengths_is_refused_before_it_is_buffered() {
        let code = |result: Result<Option<Message>, Failure>| result.unwrap_err().code;
        let huge = [b"Q".as_slice(), &u32::MAX.to_be_bytes()].concat();
        assert_eq!(code(next(huge).await), code::LIMIT_EXCEEDED);
        assert_eq!(code(next(vec![b'Q', 0, 0, 0, 3]).await), code::PROTOCOL_VIOLATION);
        let liars: [(u8, &[u8]); 7] = [
            (b'Q', b"no end"),
            (b'P', b"\0\0\xff\xff"),
            (b'B', b"\0\0\xff\xff\0\0"),
            (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xffx\0\0"),
            (b'B', b"\0\0\0\0\xff\xff"),
            (b'D', b"Z\0"),
            (b'?', b""),
        ];
        for (kind, body) in liars {
            assert_eq!(code(next(message(kind, body)).await), code::PROTOCOL_VIOLATION, "{body:?}");
        }
        let gbk = next(message(b'Q', b"\xd3\xe5\0")).await;
        let Ok(Some(Message::Unreadable { failure, is_simple: true })) = gbk else {
            panic!("{gbk:?}");
        };
        assert_eq!(failure.code, code::BAD_ENCODING);
    }

    #[test]
    fn a_body_that_fails_leaves_nothing_in_the_buffer() {
        let mut output = Output::new(io::Cursor::new(Vec::new()));
        output.complete("SELECT 1");
        let whole = output.bytes.clone();
        let failed = output.try_put(b'D', |body| {
            body.put_u8(1);
            Err(Failure::error(code::INTERNAL, "no"))
        });
        assert!(failed.is_err());
        assert_eq!(output.bytes, whole);
    }
}
