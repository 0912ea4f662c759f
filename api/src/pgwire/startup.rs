//! How a connection begins: TLS or not, a session or a request to cancel, and who it is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::failure::{Failure, code};
use super::login::Logins;
use super::scram::{self, Exchange, NoRandomness, Unproven};
use super::session::flush;
use super::settings::Settings;
use super::wire::{Input, MESSAGE_BYTES_MAX, Message, Output};
use crate::accounts::scram::ScramVerifier;
use crate::caller::{Caller, Deed};

/// What TLS clients call this protocol when they begin with TLS right away.
pub(super) const ALPN: &[u8] = b"postgresql";

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection on which messages can be exchanged.
pub(super) struct Link {
    pub(super) input: Input,
    pub(super) output: Output,
    is_secure: bool,
}

/// What a client wants.
pub(super) enum Wish {
    /// A session, with these parameters.
    Session(Packet),
    /// The end of a statement on another connection.
    Cancel { pid: i32, secret: i32 },
}

/// The startup packet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    parameters: Vec<(String, String)>,
    /// Whether a minor version is asked for that is not spoken.
    is_newer: bool,
}

impl Packet {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Settles whether the connection is secured. `None` when the client has gone, or cannot be served.
pub(super) async fn secure(
    mut stream: TcpStream,
    tls: Option<&TlsAcceptor>,
) -> std::io::Result<Option<Link>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first[0] == TLS_HANDSHAKE {
        let Some(tls) = tls else { return Ok(None) };
        let secured = tls.accept(stream).await?;
        // Without the protocol's name, a client of another protocol could be led here.
        if secured.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Ok(None);
        }
        return Ok(Some(secured_link(secured)));
    }
    // A client asks at most once for each kind of encryption.
    for _ in 0..2 {
        let mut head = [0; 8];
        if stream.read_exact(&mut head).await.is_err() {
            return Ok(None);
        }
        let request = (&head[4..]).get_u32();
        match (request, tls) {
            (SSL, Some(tls)) => {
                stream.write_all(b"S").await?;
                return Ok(Some(secured_link(tls.accept(stream).await?)));
            }
            (SSL | GSS, _) => stream.write_all(b"N").await?,
            _ => return Ok(Some(plain_link(stream, &head))),
        }
    }
    Ok(Some(plain_link(stream, &[])))
}

fn secured_link(stream: tokio_rustls::server::TlsStream<TcpStream>) -> Link {
    let (reading, writing) = tokio::io::split(stream);
    Link { input: Input::new(reading, &[]), output: Output::new(writing), is_secure: true }
}

/// `begun` is what has been read of the first packet.
fn plain_link(stream: TcpStream, begun: &[u8]) -> Link {
    let (reading, writing) = stream.into_split();
    Link { input: Input::new(reading, begun), output: Output::new(writing), is_secure: false }
}

/// Reads what the client wants; `None` when it has gone.
pub(super) async fn wish(input: &mut Input) -> Result<Option<Wish>, Failure> {
    match input.next_packet().await? {
        Some(packet) => read_packet(packet).map(Some),
        None => Ok(None),
    }
}

fn read_packet(mut packet: Bytes) -> Result<Wish, Failure> {
    let malformed = || Failure::protocol("the startup packet is malformed");
    if packet.remaining() < 4 {
        return Err(malformed());
    }
    let version = packet.get_u32();
    if version == CANCEL {
        if packet.remaining() != 8 {
            return Err(malformed());
        }
        return Ok(Wish::Cancel { pid: packet.get_i32(), secret: packet.get_i32() });
    }
    if version >> 16 != 3 {
        let message =
            format!("protocol {}.{} is not spoken; use 3.0", version >> 16, version & 0xffff);
        return Err(Failure::fatal(code::FEATURE_NOT_SUPPORTED, message));
    }
    let mut texts = packet.split(|byte| *byte == 0).map(|text| String::from_utf8(text.to_vec()));
    let mut parameters = Vec::new();
    loop {
        match (texts.next(), texts.next()) {
            (Some(Ok(name)), _) if name.is_empty() => break,
            (Some(Ok(name)), Some(Ok(value))) => parameters.push((name, value)),
            _ => return Err(malformed()),
        }
    }
    Ok(Wish::Session(Packet { parameters, is_newer: version & 0xffff != 0 }))
}

/// Whom a connection is checked against.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    logins: Arc<dyn Logins>,
    needs_tls: bool,
    /// What stand-ins for unknown users are made from.
    key: [u8; 32],
}

impl Guard {
    pub(super) fn new(logins: Arc<dyn Logins>, needs_tls: bool) -> Result<Self, NoRandomness> {
        Ok(Self { logins, needs_tls, key: scram::random()? })
    }

    /// Lets a client in, or tells it why not.
    pub(super) async fn admit(
        &self,
        link: &mut Link,
        packet: &Packet,
        peer: SocketAddr,
    ) -> Result<Caller, Failure> {
        if self.needs_tls && !link.is_secure {
            return Err(Failure::fatal(code::LOGIN_REFUSED, "TLS is required")
                .with_hint("Connect with sslmode=require, or better verify-full."));
        }
        let names = packet.parameters.iter().map(|(name, _)| name);
        let unknown: Vec<_> = names.filter(|name| name.starts_with("_pq_.")).cloned().collect();
        if packet.is_newer || !unknown.is_empty() {
            link.output.negotiate_version(&unknown);
        }
        let user = packet.get("user").filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| Failure::fatal(code::LOGIN_REFUSED, "no user is given"))?;
        let caller = if self.logins.is_open() {
            Caller::anonymous()
        } else {
            self.prove(link, user, peer.ip()).await?
        };
        if !caller.may(Deed::ReadMetrics) {
            let message = format!("the account \"{user}\" may not query");
            return Err(Failure::fatal(code::NOT_ALLOWED, message));
        }
        link.output.authentication(0, b"");
        link.input.limit = MESSAGE_BYTES_MAX;
        Ok(caller)
    }

    async fn prove(&self, link: &mut Link, user: &str, peer: IpAddr) -> Result<Caller, Failure> {
        if self.logins.is_locked_out(user, peer) {
            let message = "too many logins have failed; try again later";
            return Err(Failure::fatal(code::LOGIN_REFUSED, message));
        }
        let known = self.logins.scram_verifier(user);
        let verifier = known.unwrap_or_else(|| scram::stand_in(user, &self.key));
        let wrong = || {
            let message = format!("password authentication failed for user \"{user}\"");
            Failure::fatal(code::WRONG_PASSWORD, message)
        };
        let proven = exchange(link, verifier).await;
        // An account that has been switched off fails no sooner than one that there is not.
        match proven.map(|server_final| (server_final, self.logins.caller(user))) {
            Ok((server_final, Some(caller))) => {
                self.logins.succeeded(user, peer);
                link.output.authentication(12, server_final.as_bytes());
                Ok(caller)
            }
            Ok((_, None)) | Err(Unadmitted::Unproven(Unproven::Wrong)) => {
                self.logins.failed(user, peer);
                Err(wrong())
            }
            Err(Unadmitted::Unproven(Unproven::Malformed(what))) => {
                self.logins.failed(user, peer);
                Err(wrong().with_detail(what))
            }
            Err(Unadmitted::Failure(failure)) => Err(failure),
        }
    }
}

/// Why an exchange did not come to its end.
enum Unadmitted {
    Unproven(Unproven),
    Failure(Failure),
}

impl From<Failure> for Unadmitted {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Unproven> for Unadmitted {
    fn from(unproven: Unproven) -> Self {
        Self::Unproven(unproven)
    }
}

/// Asks for a proof of the password; returns the server's own.
async fn exchange(link: &mut Link, verifier: ScramVerifier) -> Result<String, Unadmitted> {
    link.output.authentication(10, format!("{}\0\0", scram::MECHANISM).as_bytes());
    let mut first = answer(link).await?;
    let name = first.iter().position(|byte| *byte == 0);
    let name = name.map(|end| first.split_to(end)).unwrap_or_default();
    if name != scram::MECHANISM.as_bytes() || first.remaining() < 5 {
        return Err(Unproven::Malformed("only SCRAM-SHA-256 is offered").into());
    }
    // The end of the name, and the length of what follows, which the message's own tells as well.
    first.advance(5);
    let nonce =
        scram::nonce().map_err(|error| Failure::fatal(code::INTERNAL, error.to_string()))?;
    let exchange = Exchange::begin(verifier, &first, &nonce)?;
    link.output.authentication(11, exchange.server_first().as_bytes());
    Ok(exchange.finish(&answer(link).await?)?)
}

async fn answer(link: &mut Link) -> Result<Bytes, Failure> {
    flush(&mut link.output).await?;
    match link.input.next().await? {
        Some(Message::Password(data)) => Ok(data),
        Some(_) => Err(Failure::protocol("a SASL message is expected")),
        None => Err(Failure::fatal(code::PROTOCOL_VIOLATION, "the client has gone")),
    }
}

/// The settings that a client begins with.
pub(super) fn settings(
    packet: &Packet,
    caller: &Caller,
    zone: chrono_tz::Tz,
) -> Result<Settings, Failure> {
    let mut settings = Settings::new(&caller.name, zone);
    for (name, value) in &packet.parameters {
        match name.as_str() {
            // There is one database, whatever it is called.
            "user" | "database" => {}
            "options" => {
                for (name, value) in options(value)? {
                    settings.set(&name, Some(&value))?;
                }
            }
            name if name.starts_with("_pq_.") => {}
            name => settings.set(name, Some(value))?,
        }
    }
    settings.keep_as_defaults();
    Ok(settings)
}

/// The settings in `options`, like `-c name=value --name=value`; a backslash keeps a blank in a value.
fn options(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character.is_whitespace() {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
    }
    let mut settings = Vec::new();
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).map(str::to_owned)
        };
        let setting = setting.as_ref().and_then(|setting| setting.split_once('='));
        let (name, value) = setting.ok_or_else(|| {
            Failure::error(code::INVALID_VALUE, "options are read as -c name=value")
        })?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_startup_packet_is_read_or_refused_whole() {
        let read = |packet: &[u8]| read_packet(Bytes::copy_from_slice(packet));
        let Ok(Wish::Session(packet)) = read(b"\0\x03\0\0user\0anna\0database\0\0\0") else {
            panic!()
        };
        assert_eq!(packet.get("user"), Some("anna"));
        assert!(!packet.is_newer);
        let Ok(Wish::Session(newer)) = read(b"\0\x03\0\x02user\0anna\0\0") else { panic!() };
        assert!(newer.is_newer);
        let cancel = [&CANCEL.to_be_bytes()[..], &[0, 0, 0, 7, 0, 0, 0, 9]].concat();
        assert!(matches!(read(&cancel), Ok(Wish::Cancel { pid: 7, secret: 9 })));
        for wrong in [
            b"".as_slice(),
            b"\0\x03\0\0user\0anna",
            b"\0\x02\0\0",
            &cancel[..8],
            b"\0\x03\0\0\xff\0\0\0",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn options_are_settings() {
        let read = |text: &str| options(text).unwrap();
        let one = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read("-c statement_timeout=5s  --application-name=a\\ b -cjit=off"),
            [one("statement_timeout", "5s"), one("application_name", "a b"), one("jit", "off")]
        );
        assert_eq!(read(""), []);
        assert!(options("-x").is_err() && options("-c").is_err() && options("-c a").is_err());
    }
}
