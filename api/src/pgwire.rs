//! The PostgreSQL wire: psql, drivers and BI tools ask the door in SQL as if this were a PostgreSQL.
//!
//! Each connection is a session of its own. Its messages are read and written here, because a statement has to end,
//! and its work with it, whenever the client cancels, goes away or has waited long enough; the connection loop of the
//! `pgwire` crate, whose types are used, ends an answer only before its first row.

mod cancel;
mod command;
mod copy;
mod failure;
pub mod login;
mod parameters;
mod rows;
pub mod scram;
mod session;
mod settings;
mod startup;
mod tokens;
mod transaction;
mod types;
mod values;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::cancel::{Registered, Running};
use self::failure::{Failure, Severity, code};
use self::login::Logins;
use self::session::{Session, flush};
use self::startup::{Guard, Link, Packet, Wish};
use self::wire::{Input, Message, Output};
use crate::caller::{Surface, Visitor};
use crate::server::Server;

/// Sessions at once.
const SESSIONS_MAX: usize = 200;

/// Connections at once. More than sessions, so that one too many is told so, and requests to cancel get in.
const CONNECTIONS_MAX: usize = 256;

/// How long a client may take to log in.
const LOGIN_TIME: Duration = Duration::from_secs(10);

/// How long clients may take to hear that the server stops.
const GOODBYE_TIME: Duration = Duration::from_secs(2);

/// Serves sessions until `stop`.
///
/// With `tls`, whose configuration has to offer the protocol `postgresql`, nobody logs in without it.
pub async fn serve(
    listener: TcpListener,
    server: Arc<Server>,
    logins: Arc<dyn Logins>,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let guard = Guard::new(logins, tls.is_some()).context("failed to start logins")?;
    let hall = Arc::new(Hall {
        server,
        guard,
        tls,
        running: Running::default(),
        sessions: Semaphore::new(SESSIONS_MAX),
        stop: stop.clone(),
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // As when there are no more file descriptors: others may be closed in a moment.
                tracing::warn!(%error, "a PostgreSQL connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            hall.server.telemetry().count_connection("refused");
            continue;
        };
        let hall = Arc::clone(&hall);
        connections.spawn(async move {
            hall.receive(stream, peer).await;
            drop(place);
        });
    }
    let goodbye = async { while connections.join_next().await.is_some() {} };
    // Whoever does not listen is cut off.
    _ = tokio::time::timeout(GOODBYE_TIME, goodbye).await;
    Ok(())
}

/// What connections have in common, which is nothing of their sessions.
struct Hall {
    server: Arc<Server>,
    guard: Guard,
    tls: Option<TlsAcceptor>,
    running: Running,
    sessions: Semaphore,
    stop: CancellationToken,
}

impl Hall {
    async fn receive(&self, stream: TcpStream, peer: SocketAddr) {
        _ = stream.set_nodelay(true);
        let telemetry = self.server.telemetry();
        // A client that dawdles is cut off without a word: it may be anything.
        let entered = tokio::time::timeout(LOGIN_TIME, self.enter(stream, peer)).await;
        match entered {
            Ok(Ok(Some((link, session, place)))) => {
                telemetry.count_connection("accepted");
                let _counted = telemetry.connected();
                self.converse(link, session).await;
                drop(place);
            }
            // Gone, or there only to cancel.
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                tracing::info!(%peer, %error, "a PostgreSQL connection is refused");
                telemetry.count_connection("refused");
            }
            Err(_) => telemetry.count_connection("refused"),
        }
    }

    /// Secures the connection and logs the client in. `None` when there is nobody to serve.
    async fn enter(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> anyhow::Result<Option<(Link, Session, tokio::sync::SemaphorePermit<'_>)>> {
        let Some(mut link) = startup::secure(stream, self.tls.as_ref()).await? else {
            return Ok(None);
        };
        let entered = match startup::wish(&mut link.input).await {
            Ok(None) => return Ok(None),
            Ok(Some(Wish::Cancel { pid, secret })) => {
                self.running.cancel(pid, secret);
                return Ok(None);
            }
            Ok(Some(Wish::Session(packet))) => self.log_in(&mut link, &packet, peer).await,
            Err(failure) => Err(failure),
        };
        match entered {
            Ok((session, place)) => Ok(Some((link, session, place))),
            Err(failure) => {
                let failure = Failure { severity: Severity::Fatal, ..failure };
                link.output.failure(&failure);
                link.output.close().await?;
                anyhow::bail!("{}: {}", failure.code, failure.message)
            }
        }
    }

    async fn log_in(
        &self,
        link: &mut Link,
        packet: &Packet,
        peer: SocketAddr,
    ) -> Result<(Session, tokio::sync::SemaphorePermit<'_>), Failure> {
        let place = self.sessions.try_acquire().map_err(|_| {
            Failure::fatal(code::TOO_MANY, format!("there are {SESSIONS_MAX} sessions already"))
        })?;
        let request_id = uuid::Uuid::new_v4().to_string();
        let admitted = self.guard.admit(link, packet, peer).await;
        let caller = admitted.inspect_err(|failure| {
            if failure.code == code::WRONG_PASSWORD {
                self.note_failure(packet, peer, &request_id);
            }
        })?;
        let settings = startup::settings(packet, &caller, self.server.view().zone())?;
        let visitor =
            Visitor { caller, surface: Surface::Postgres, peer: Some(peer.ip()), request_id };
        self.server.audit().logged_in(&visitor).map_err(|_| {
            Failure::fatal(code::INTERNAL, "the audit log cannot be written; try again later")
        })?;
        Ok((Session::new(Arc::clone(&self.server), visitor, settings), place))
    }

    fn note_failure(&self, packet: &Packet, peer: SocketAddr, request_id: &str) {
        let accounts = self.server.accounts();
        let account = packet.get("user").filter(|user| accounts.is_some_and(|all| all.has(user)));
        let audit = self.server.audit();
        let account = account.map(str::to_owned);
        audit.login_failed(Surface::Postgres, Some(peer.ip()), request_id, account);
    }

    /// Exchanges messages until one side ends it.
    async fn converse(&self, mut link: Link, mut session: Session) {
        let Link { input, output, .. } = &mut link;
        let Ok(registered) = self.running.register() else {
            output.failure(&Failure::fatal(code::INTERNAL, scram::NoRandomness.to_string()));
            _ = output.close().await;
            return;
        };
        session.report(output);
        output.key_data(registered.pid, registered.secret);
        session.ready(output);
        let mut ended = flush(output).await;
        while ended.is_ok() {
            let Some(turn) = self.turn(input, output, &mut session, &registered).await else {
                return;
            };
            ended = turn;
        }
        // The client may have gone already.
        _ = output.close().await;
    }

    /// Waits for a message and answers it. An error ends the connection, `None` says that the client has ended it.
    async fn turn(
        &self,
        input: &mut Input,
        output: &mut Output,
        session: &mut Session,
        registered: &Registered,
    ) -> Option<Result<(), Failure>> {
        let message = match self.message(input, session).await {
            Ok(None | Some(Message::Terminate)) => return None,
            Ok(Some(message)) => message,
            Err(failure) => {
                output.failure(&failure);
                return Some(Err(failure));
            }
        };
        let is_simple =
            matches!(message, Message::Query(_) | Message::Unreadable { is_simple: true, .. });
        let is_waited_for = is_simple || matches!(message, Message::Sync | Message::Flush);
        let timeout = session.timeout();
        let statement = registered.begin();
        let answered = tokio::select! {
            answered = session.answer(message, output) => answered,
            () = input.gone() => return None,
            () = statement.cancelled() => Err(Failure::canceled("user request")),
            () = after(timeout) => Err(Failure::canceled("statement timeout")),
            () = self.stop.cancelled() => Err(shutting_down()),
        };
        drop(statement);
        match answered {
            Ok(()) if is_waited_for => Some(flush(output).await),
            Ok(()) => Some(Ok(())),
            Err(failure) => {
                session.fail(&failure, is_simple, output);
                if failure.severity == Severity::Fatal {
                    return Some(Err(failure));
                }
                Some(if is_simple { flush(output).await } else { Ok(()) })
            }
        }
    }

    /// The next message, while the server runs and the client does not idle in a transaction for too long.
    async fn message(
        &self,
        input: &mut Input,
        session: &Session,
    ) -> Result<Option<Message>, Failure> {
        tokio::select! {
            message = input.next() => message,
            () = self.stop.cancelled() => Err(shutting_down()),
            () = after(session.idle_timeout()) => {
                let message = "terminating connection due to idle-in-transaction timeout";
                Err(Failure::fatal(code::IDLE_IN_TRANSACTION, message))
            }
        }
    }
}

fn shutting_down() -> Failure {
    let message = "terminating connection due to administrator command";
    Failure::fatal(code::SHUTTING_DOWN, message)
}

/// Waits for a time, or for ever.
async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
