//! Listens for HTTP, with TLS or without, within limits that hold before a request is known.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsAcceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::tls::Tls;

/// How long a request's head may take to arrive, and a TLS handshake. An idle connection is closed after as long.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// The largest head of a request, and the most headers in it.
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;

/// Requests that one connection may have under way (HTTP/2).
const STREAMS_MAX: u32 = 100;

/// How long an HTTP/2 connection may be silent before it is asked whether it lives, and to answer that.
const ALIVE_WITHIN: Duration = Duration::from_secs(20);

/// How long requests under way have to end when the server stops: as long as a query may take.
const GRACE: Duration = Duration::from_secs(30);

/// Serves until `stopped` ends, and then what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Router,
    tls: Option<&Tls>,
    connections: usize,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let handle = Handle::new();
    let stopping = handle.clone();
    let stopping = tokio::spawn(async move {
        stopped.await;
        stopping.graceful_shutdown(Some(GRACE));
    });
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle)
        .first_request_timeout(HEAD_WITHIN)
        .accept_error_handler(|peer: Option<&SocketAddr>, error: &io::Error| {
            let peer = peer.map(tracing::field::display);
            // Anybody can cause these, as often as they like.
            tracing::debug!(peer, %error, "a connection came to nothing");
        });
    let builder = server.http_builder();
    builder
        .http1()
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(ALIVE_WITHIN)
        .keep_alive_timeout(ALIVE_WITHIN);
    let few = Few(Arc::new(Semaphore::new(connections)));
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let served = match tls {
        None => server.acceptor(few).serve(service).await,
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(tls.http()).handshake_timeout(HEAD_WITHIN);
            server.acceptor(acceptor.acceptor(few)).serve(service).await
        }
    };
    stopping.abort();
    served
}

/// Ends with Ctrl-C or SIGTERM, from this call on: until then they end the process at once.
pub(crate) fn stopped() -> impl Future<Output = ()> + Send + 'static {
    let interrupted = signal(SignalKind::interrupt());
    let terminated = signal(SignalKind::terminate());
    let heard = async |listening: io::Result<Signal>| match listening {
        Ok(mut listening) => {
            listening.recv().await;
        }
        // It ends the process at once still.
        Err(_) => std::future::pending().await,
    };
    async move {
        tokio::select! {
            () = heard(interrupted) => {}
            () = heard(terminated) => {}
        }
    }
}

/// Accepts so many connections at once, and closes one more.
#[derive(Debug, Clone)]
struct Few(Arc<Semaphore>);

impl<S> Accept<TcpStream, S> for Few {
    type Stream = Counted<TcpStream>;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Counted<TcpStream>, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // Or the end of an answer waits for the client to acknowledge its beginning: 40 ms. Without it, it is only slower.
        _ = stream.set_nodelay(true);
        let place = Arc::clone(&self.0).try_acquire_owned();
        std::future::ready(match place {
            Ok(place) => Ok((Counted { stream, _place: place }, service)),
            Err(_) => Err(io::Error::other("there are too many connections")),
        })
    }
}

/// A connection that has a place as long as it is there.
#[derive(Debug)]
struct Counted<I> {
    stream: I,
    _place: OwnedSemaphorePermit,
}

impl<I: AsyncRead + Unpin> AsyncRead for Counted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Counted<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
