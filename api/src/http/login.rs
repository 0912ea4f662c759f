//! Who sends a request, and whether they may.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, GeneralPurpose};

use crate::accounts::Denied;
use crate::caller::{Caller, Deed, Role, Surface, Visitor};
use crate::http::follow;
use crate::http::problem::Problem;
use crate::server::Server;

/// Lets requests pass of which it is known who sends them.
pub(super) async fn recognise(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    Ok(next.run(recognised(&server, request, Surface::Http).await?).await)
}

/// As clients write a name and a password: those of Flight leave the padding out.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Finds out who sends the request, and puts the [`Visitor`] into its extensions. Without accounts it is everybody on
/// this machine; with accounts, nobody comes further without a name.
pub(super) async fn recognised(
    server: &Server,
    mut request: Request,
    surface: Surface,
) -> Result<Request, Problem> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let request_id = follow::request_id().unwrap_or_default();
    let caller = match server.accounts() {
        None => Caller::anonymous(),
        Some(accounts) => {
            let shown = Credentials::of(request.headers())?;
            let found = match &shown {
                Credentials::Password { name, password } => {
                    accounts.caller_of_password(name, password, peer).await
                }
                Credentials::Token(token) => accounts.caller_of_token(token, peer).await,
            };
            if found == Err(Denied::Wrong) {
                let account = shown.name().filter(|name| accounts.has(name)).map(str::to_owned);
                server.audit().login_failed(surface, peer, &request_id, account);
            }
            found?
        }
    };
    tracing::Span::current().record("caller", &caller.name);
    request.extensions_mut().insert(Visitor { caller, surface, peer, request_id });
    Ok(request)
}

/// Lets those pass who may do a deed.
pub(super) async fn allow(
    State(deed): State<Deed>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = &visitor.caller;
    if caller.may(deed) {
        return Ok(next.run(request).await);
    }
    let roles: Vec<&str> =
        Role::ALL.into_iter().filter(|role| role.may(deed)).map(Role::name).collect();
    Err(Problem::forbidden(format!(
        "the account `{}` has the role {} and may not {}; that needs the role {}",
        caller.name,
        caller.role,
        phrase(deed),
        roles.join(" or ")
    )))
}

/// Lets those pass who are not kept to a scope: what is asked for is about the whole lake.
pub(super) async fn allow_whole_lake(
    Extension(visitor): Extension<Visitor>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match &visitor.caller.scope {
        None => Ok(next.run(request).await),
        Some(scope) => Err(Problem::forbidden(format!(
            "the account `{}` is kept to the scope `{scope}`, and this is about the whole lake",
            visitor.caller.name
        ))),
    }
}

fn phrase(deed: Deed) -> &'static str {
    match deed {
        Deed::Push => "push events",
        Deed::ReadMetrics => "read metrics",
        Deed::ReadRows => "read rows",
        Deed::SeeIdentities => "see who persons and parties are",
        Deed::ReadAudit => "read the audit log",
        Deed::Operate => "have the server do something about what the lake holds",
    }
}

/// Refuses what a page of another site makes a browser send: the browser would add the password by itself.
pub(super) async fn same_site(request: Request, next: Next) -> Result<Response, Problem> {
    if !request.method().is_safe() && is_cross_site(request.headers(), request.uri()) {
        return Err(Problem::forbidden(
            "a page of another site may not send this; programs send neither Origin nor Sec-Fetch-Site",
        ));
    }
    Ok(next.run(request).await)
}

fn is_cross_site(headers: &HeaderMap, uri: &Uri) -> bool {
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    // HTTP/2 says the host in the address.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    match (origin, host) {
        (Some((_, origin)), Some(host)) => !origin.eq_ignore_ascii_case(host),
        // `null`, or what no browser sends.
        _ => true,
    }
}

/// What the header `Authorization` holds.
#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    Password { name: String, password: String },
    Token(String),
}

impl Credentials {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (given, more) = (given.next(), given.next());
        let given = given.ok_or_else(|| {
            Problem::unauthorized("say who you are: a name and a password, or a token")
        })?;
        more.map_or(Self::read(given), |_| None).ok_or_else(|| {
            Problem::unauthorized(
                "Authorization is `Basic` with a name and a password, or `Bearer` with a token",
            )
        })
    }

    /// The account's name, where it is shown.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Password { name, .. } => Some(name),
            Self::Token(_) => None,
        }
    }

    fn read(given: &HeaderValue) -> Option<Self> {
        let (scheme, value) = given.to_str().ok()?.split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Token(value.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(BASIC.decode(value).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(Self::Password { name: name.to_owned(), password: password.to_owned() })
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let detail = denied.to_string();
        match denied {
            Denied::Wrong => Self::unauthorized(detail),
            Denied::Locked { retry_after } => Self::too_many_requests(detail, retry_after),
            Denied::Busy { retry_after } => Self::unavailable(detail).retry_after(retry_after),
            Denied::Failed => Self::unavailable(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn basic_and_bearer_are_read_and_nothing_else() {
        let read = |value: &str| Credentials::read(&value.parse().unwrap());
        // `li:a:b`: only the first colon ends the name.
        let expected = Credentials::Password { name: "li".to_owned(), password: "a:b".to_owned() };
        assert!(read("Basic bGk6YTpi") == Some(expected.clone()));
        assert!(read("basic  bGk6YTpi") == Some(expected));
        assert!(read("Bearer lp_1_x") == Some(Credentials::Token("lp_1_x".to_owned())));
        for wrong in ["", "Basic", "Basic ???", "Basic bGk=", "Basic /////w==", "Digest x"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
        let twice = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        assert!(Credentials::of(&twice).is_err());
    }

    #[test]
    fn a_page_of_another_site_is_told_from_our_own_and_from_programs() {
        let uri = Uri::from_static("/api/v1/sql");
        let is_cross = |pairs: &[(&'static str, &str)]| is_cross_site(&headers(pairs), &uri);
        let host = ("host", "pulse.example:8080");
        assert!(!is_cross(&[host]));
        assert!(!is_cross(&[host, ("origin", "https://pulse.example:8080")]));
        assert!(!is_cross(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(is_cross(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(is_cross(&[host, ("origin", "https://pulse.example")]));
        assert!(is_cross(&[host, ("origin", "null")]));
        let of_http2 = Uri::from_static("https://pulse.example/api/v1/sql");
        let origin = headers(&[("origin", "https://pulse.example")]);
        assert!(!is_cross_site(&origin, &of_http2));
        assert!(is_cross_site(&origin, &uri));
    }
}
