//! The config file of the relay: robots, and who hears of what.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono_tz::Tz;
use pipeline::zone::parse_zone;
use reqwest::Url;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use toml::Spanned;

use super::form::{Form, PER_MINUTE};
use crate::tls;

/// Where the relay listens unless something else is said: where the shipped `alertmanager.yml` sends to.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9095);

/// Addresses that are the relay's own.
const RESERVED: [&str; 2] = ["/healthz", "/metrics"];

/// What the config file says, with its secrets.
#[derive(Debug)]
pub struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) tls: Option<tls::Files>,
    pub(super) token: Option<Secret>,
    pub(super) zone: Tz,
    pub(super) runbook: Option<String>,
    pub(super) server: Option<Server>,
    pub(super) robots: Vec<Robot>,
    pub(super) routes: BTreeMap<String, Route>,
}

/// The server that knows what units are called.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) target: Target,
    pub(super) token: Option<Secret>,
}

/// A robot of a chat.
#[derive(Debug)]
pub(super) struct Robot {
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) target: Target,
    pub(super) secret: Option<Secret>,
    pub(super) per_minute: u32,
}

/// Something that is asked over HTTP.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) url: Url,
    /// The certificates that it is believed by, in the place of those that the machine knows.
    pub(super) ca: Option<PathBuf>,
    /// The proxy on the way.
    pub(super) proxy: Option<Url>,
}

/// Without the address: a robot's holds its key.
impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Target")
    }
}

/// Which robots hear of what is sent to a path: places in the list of robots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Those of each scope that has some of its own.
    by_scope: BTreeMap<String, Vec<usize>>,
    /// Those of all others.
    others: Vec<usize>,
}

impl Route {
    /// The robots that hear of a scope.
    pub(super) fn robots(&self, scope: &str) -> &[usize] {
        self.by_scope.get(scope).unwrap_or(&self.others)
    }
}

/// A text that does not belong into a log.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// Where a secret is: in the file itself, in another one, or in the environment.
enum WrittenSecret {
    Here(String),
    File(PathBuf),
    Env(String),
}

impl<'de> Deserialize<'de> for WrittenSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    file: Option<PathBuf>,
    env: Option<String>,
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = WrittenSecret;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, { file = \"FILE\" } or { env = \"NAME\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenSecret, E> {
        Ok(WrittenSecret::Here(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenSecret, A::Error> {
        match Elsewhere::deserialize(MapAccessDeserializer::new(map))? {
            Elsewhere { file: Some(file), env: None } => Ok(WrittenSecret::File(file)),
            Elsewhere { file: None, env: Some(name) } => Ok(WrittenSecret::Env(name)),
            _ => Err(de::Error::custom("write either { file = \"FILE\" } or { env = \"NAME\" }")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "listen")]
    listen: SocketAddr,
    #[serde(default)]
    allow_plaintext: bool,
    token: Option<WrittenSecret>,
    #[serde(default = "zone")]
    zone: Spanned<String>,
    runbook: Option<String>,
    tls: Option<WrittenTls>,
    server: Option<Spanned<WrittenServer>>,
    #[serde(rename = "robot", default)]
    robots: Vec<Spanned<WrittenRobot>>,
    #[serde(rename = "route", default)]
    routes: Vec<Spanned<WrittenRoute>>,
}

fn listen() -> SocketAddr {
    LISTEN
}

fn zone() -> Spanned<String> {
    Spanned::new(0..0, "Asia/Shanghai".to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTls {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenServer {
    url: String,
    token: Option<WrittenSecret>,
    ca: Option<PathBuf>,
    #[serde(default)]
    allow_plaintext: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRobot {
    name: String,
    kind: Form,
    url: WrittenSecret,
    secret: Option<WrittenSecret>,
    ca: Option<PathBuf>,
    proxy: Option<String>,
    per_minute: Option<u32>,
    #[serde(default)]
    allow_plaintext: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRoute {
    path: String,
    robots: Vec<Spanned<String>>,
    #[serde(default)]
    scopes: BTreeMap<String, Vec<Spanned<String>>>,
}

/// The text of a config file, and where what it names is found.
struct File<'a> {
    text: &'a str,
    folder: &'a Path,
    /// Whether others than its owner and group can read it.
    is_public: bool,
    /// The variables of the environment.
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl Settings {
    /// Reads a config file, and the secrets that it names.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let cannot = || format!("cannot read the config file `{shown}`");
        let text = std::fs::read_to_string(path).with_context(cannot)?;
        let is_public = is_public(path).with_context(cannot)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let env = |name: &str| std::env::var(name).ok();
        let file = File { text: &text, folder, is_public, env: &env };
        file.settings().with_context(|| format!("in the config file `{shown}`"))
    }

    /// What it says, in a line for each robot and path.
    pub fn described(&self) -> String {
        let mut lines = Vec::new();
        for (path, route) in &self.routes {
            let named = |robots: &[usize]| {
                let names: Vec<&str> =
                    robots.iter().map(|at| self.robots[*at].name.as_str()).collect();
                names.join(", ")
            };
            lines.push(format!("{path} -> {}", named(&route.others)));
            for (scope, robots) in &route.by_scope {
                lines.push(format!("{path} {scope} -> {}", named(robots)));
            }
        }
        lines.join("\n")
    }
}

impl File<'_> {
    fn settings(&self) -> anyhow::Result<Settings> {
        let written: Written =
            toml::from_str(self.text).map_err(|error| self.without_its_line(&error))?;
        let robots: Vec<Robot> = written
            .robots
            .iter()
            .map(|robot| self.robot(robot.get_ref()).with_context(|| self.line(robot)))
            .collect::<anyhow::Result<_>>()?;
        for (at, robot) in written.robots.iter().enumerate() {
            let name = &robot.get_ref().name;
            let is_new = !name.is_empty() && robots[..at].iter().all(|other| other.name != *name);
            anyhow::ensure!(
                is_new,
                "{}: each [[robot]] needs a `name` of its own",
                self.line(robot)
            );
        }
        let server = written
            .server
            .as_ref()
            .map(|server| self.server(server.get_ref()).with_context(|| self.line(server)));
        let settings = Settings {
            listen: written.listen,
            tls: written.tls.map(|files| tls::Files {
                certificate: self.folder.join(files.certificate),
                key: self.folder.join(files.key),
            }),
            token: written
                .token
                .as_ref()
                .map(|token| self.secret(token))
                .transpose()
                .context("token")?,
            zone: parse_zone(written.zone.get_ref()).with_context(|| self.line(&written.zone))?,
            runbook: written.runbook,
            server: server.transpose()?,
            routes: self.routes(&written.routes, &robots)?,
            robots,
        };
        settings.check_exposure(written.allow_plaintext)?;
        Ok(settings)
    }

    fn robot(&self, written: &WrittenRobot) -> anyhow::Result<Robot> {
        let about = || format!("robot `{}`", written.name);
        let url = self.secret(&written.url).context("`url`").with_context(about)?;
        let url = address(url.text(), written.allow_plaintext).with_context(about)?;
        let secret = written.secret.as_ref().map(|secret| self.secret(secret)).transpose();
        let secret = secret.context("`secret`").with_context(about)?;
        anyhow::ensure!(
            secret.is_none() || written.kind.is_signed(),
            "robot `{}`: only robots of the kinds dingtalk and zhezhengding have a `secret`; what 企业微信 asks for is in \
             its `url`",
            written.name
        );
        let per_minute = written.per_minute.unwrap_or(PER_MINUTE);
        anyhow::ensure!(per_minute > 0, "robot `{}`: `per_minute` cannot be 0", written.name);
        let proxy = written.proxy.as_deref().map(Url::parse).transpose();
        let proxy = proxy.context("`proxy`: write http://HOST:PORT").with_context(about)?;
        let ca = written.ca.as_ref().map(|ca| self.folder.join(ca));
        let target = Target { url, ca, proxy };
        Ok(Robot { name: written.name.clone(), form: written.kind, target, secret, per_minute })
    }

    fn server(&self, written: &WrittenServer) -> anyhow::Result<Server> {
        let url = address(&written.url, written.allow_plaintext).context("[server]")?;
        let token = written.token.as_ref().map(|token| self.secret(token)).transpose();
        let ca = written.ca.as_ref().map(|ca| self.folder.join(ca));
        Ok(Server {
            target: Target { url, ca, proxy: None },
            token: token.context("[server] `token`")?,
        })
    }

    fn routes(
        &self,
        written: &[Spanned<WrittenRoute>],
        robots: &[Robot],
    ) -> anyhow::Result<BTreeMap<String, Route>> {
        anyhow::ensure!(
            !written.is_empty(),
            "there is no [[route]]; write one for each receiver of Alertmanager, with `path` and `robots`"
        );
        let mut routes = BTreeMap::new();
        for route in written {
            let WrittenRoute { path, robots: others, scopes } = route.get_ref();
            let signs = path.strip_prefix('/').unwrap_or_default();
            let is_sign = |sign: char| sign.is_ascii_alphanumeric() || "-_/".contains(sign);
            anyhow::ensure!(
                !signs.is_empty()
                    && signs.chars().all(is_sign)
                    && !RESERVED.contains(&path.as_str()),
                "{}: `{path}` cannot be a path; write one like /unit, of letters, digits, - and _",
                self.line(route)
            );
            anyhow::ensure!(
                scopes.values().chain([others]).all(|named| !named.is_empty()),
                "{}: the route `{path}` names no robot, or none for a scope, so that nobody would hear; `robots` hear of \
                 every scope that is not in `scopes`",
                self.line(route)
            );
            let by_scope = scopes
                .iter()
                .map(|(scope, named)| Ok((scope.clone(), self.places(named, robots)?)))
                .collect::<anyhow::Result<_>>()?;
            let read = Route { by_scope, others: self.places(others, robots)? };
            let is_new = routes.insert(path.clone(), read).is_none();
            anyhow::ensure!(is_new, "{}: there are two routes `{path}`", self.line(route));
        }
        Ok(routes)
    }

    /// The places of robots that are named.
    fn places(&self, named: &[Spanned<String>], robots: &[Robot]) -> anyhow::Result<Vec<usize>> {
        let place = |name: &Spanned<String>| {
            robots.iter().position(|robot| robot.name == *name.get_ref()).with_context(|| {
                let known: Vec<&str> = robots.iter().map(|robot| robot.name.as_str()).collect();
                let (line, name) = (self.line(name), name.get_ref());
                format!(
                    "{line}: there is no [[robot]] with the name `{name}`, only: {}",
                    known.join(", ")
                )
            })
        };
        let mut places = named.iter().map(place).collect::<anyhow::Result<Vec<_>>>()?;
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    fn secret(&self, written: &WrittenSecret) -> anyhow::Result<Secret> {
        let text = match written {
            WrittenSecret::Here(text) => {
                anyhow::ensure!(
                    !self.is_public,
                    "others can read this file, and it holds a secret; run `chmod 640` on it, or write \
                     {{ file = \"FILE\" }} or {{ env = \"NAME\" }}"
                );
                text.clone()
            }
            WrittenSecret::File(file) => {
                let path = self.folder.join(file);
                let shown = path.display();
                let cannot = || format!("cannot read the secret of `{shown}`");
                let is_public = is_public(&path).with_context(cannot)?;
                anyhow::ensure!(!is_public, "others can read `{shown}`; run `chmod 640 {shown}`");
                std::fs::read_to_string(&path).with_context(cannot)?
            }
            WrittenSecret::Env(name) => (self.env)(name)
                .with_context(|| format!("the environment has no variable `{name}`"))?,
        };
        let text = text.trim();
        anyhow::ensure!(!text.is_empty(), "the secret is empty");
        Ok(Secret(text.to_owned()))
    }

    /// What the parser says, but for the line itself, which may hold a secret.
    fn without_its_line(&self, error: &toml::de::Error) -> anyhow::Error {
        let start = error.span().map_or(0, |span| span.start);
        let before = self.text.get(..start).unwrap_or_default();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        anyhow::anyhow!("{}, column {column}: {}", self.line_of(start), error.message())
    }

    /// Where something was written.
    fn line<T>(&self, written: &Spanned<T>) -> String {
        self.line_of(written.span().start)
    }

    fn line_of(&self, start: usize) -> String {
        let before = self.text.get(..start).unwrap_or_default();
        format!("line {}", before.matches('\n').count() + 1)
    }
}

impl Settings {
    /// Refuses to be reached from other machines by everybody, or in plain text.
    fn check_exposure(&self, allow_plaintext: bool) -> anyhow::Result<()> {
        let listen = self.listen;
        if listen.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        anyhow::ensure!(
            self.token.is_some(),
            "{listen} is not a loopback address, and there is no `token`, so that everybody who reaches it could write to \
             the chats: set `token = {{ file = \"FILE\" }}` and give it to Alertmanager (`http_config`), or listen on \
             127.0.0.1"
        );
        anyhow::ensure!(
            self.tls.is_some() || allow_plaintext,
            "{listen} is not a loopback address, and there is no certificate, so that the token would cross the network in \
             plain text: set [tls] `certificate` and `key`, or `allow_plaintext = true` if a proxy before the relay speaks \
             TLS, or listen on 127.0.0.1"
        );
        Ok(())
    }
}

/// Reads an address; what is wrong with it is told without it.
fn address(url: &str, allow_plaintext: bool) -> anyhow::Result<Url> {
    let url = Url::parse(url).context("`url` is no address; copy the whole, with https://")?;
    let host = url.host_str().context("`url` names no host")?.trim_matches(['[', ']']);
    let is_loopback =
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback || allow_plaintext => Ok(url),
        "http" => anyhow::bail!(
            "`url` is http://, so that its key would cross the network in plain text: write https://, or \
             `allow_plaintext = true` if nobody can listen there"
        ),
        _ => anyhow::bail!("`url` has to begin with https://"),
    }
}

/// Whether others than a file's owner and group can read it.
fn is_public(path: &Path) -> std::io::Result<bool> {
    Ok(std::fs::metadata(path)?.mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests;
