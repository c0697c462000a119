//! Serving on a socket that is shared with other instances: an end that breaks off no connection which was accepted.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long connections stay open at least, so that callers that keep theirs are told to open the next one elsewhere.
const GRACE: Duration = Duration::from_millis(250);

/// How long a connection that was accepted may take to say its first word.
const FIRST_WORD: Duration = Duration::from_secs(2);

/// Serves until `ended`, and from then on accepts nothing more: the other instances do. What was accepted is still answered, also
/// where the request has not arrived yet.
pub async fn serve(socket: TcpListener, router: Router, ended: impl Future<Output = ()> + Send + 'static) {
    let Ok(address) = socket.local_addr() else { return };
    let (close, closed) = watch::channel(false);
    let (fresh, mut left) = watch::channel(0_usize);
    let finished = async move {
        ended.await;
        close.send_replace(true);
        sleep(GRACE).await;
        // Why: a server that is told to end closes every connection on which it has read nothing, whatever is on its way there.
        let _ = timeout(FIRST_WORD, left.wait_for(|left| *left == 0)).await;
    };
    // Why: this server answers only to the end that it is told.
    let _ = axum::serve(Gate { address, socket: Some(socket), closed, fresh }, router).with_graceful_shutdown(finished).await;
}

/// A socket that can be left to others.
struct Gate {
    address: SocketAddr,
    socket: Option<TcpListener>,
    closed: watch::Receiver<bool>,
    fresh: watch::Sender<usize>,
}

impl axum::serve::Listener for Gate {
    type Io = Accepted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        if let Some(socket) = &mut self.socket {
            // Why: what has queued up comes first. When nobody else has this socket, because the supervisor that kept it was killed, whoever
            // still waits in its queue is refused when it goes away, and later connections must find the socket of the next supervisor.
            let accepted = tokio::select! {
                biased;
                accepted = axum::serve::Listener::accept(socket) => Some(accepted),
                _ = self.closed.wait_for(|closed| *closed) => None,
            };
            if let Some((stream, from)) = accepted {
                // Why: answers are small, and the caller waits for them.
                let _ = stream.set_nodelay(true);
                return (Accepted { stream, fresh: Some(Fresh::count(&self.fresh)) }, from);
            }
            self.socket = None;
        }
        std::future::pending().await
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// Counts as one connection on which nothing has been read, as long as it is there.
struct Fresh(watch::Sender<usize>);

impl Fresh {
    fn count(fresh: &watch::Sender<usize>) -> Self {
        fresh.send_modify(|count| *count += 1);
        Self(fresh.clone())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

struct Accepted {
    stream: TcpStream,
    fresh: Option<Fresh>,
}

impl AsyncRead for Accepted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.fresh = None;
        }
        read
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_was_accepted_is_answered_though_its_request_comes_after_the_end() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let router = Router::new().route("/", get(async || "here"));
        let serving = tokio::spawn(serve(socket, router, async move {
            let _ = ended.await;
        }));
        // The first is answered after the second was accepted: connections are accepted in their order.
        let mut late = TcpStream::connect(address).await.unwrap();
        let mut early = TcpStream::connect(address).await.unwrap();
        assert!(asked(&mut early).await.ends_with("here"));
        end.send(()).unwrap();
        sleep(GRACE * 2).await;
        assert!(!serving.is_finished());
        assert!(asked(&mut late).await.ends_with("here"));
        serving.await.unwrap();
    }

    async fn asked(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
