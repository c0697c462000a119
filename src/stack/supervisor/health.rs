//! The one question that tells whether an instance serves, asked again and again by a task of its own.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

const WHILE_STARTING: Duration = Duration::from_millis(50);
const WHILE_READY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);
// Why: one that dies of its start often serves for a moment; whoever ended the old ones for it would have nobody left.
const STEADY: Duration = Duration::from_secs(1);
// Why: a busy instance may be late once; it is not taken for one that does not serve.
const MISSES: u32 = 3;

/// What is known of an instance's health. Asking ends when it is dropped.
#[derive(Debug)]
pub(super) struct Health {
    ready: Arc<AtomicBool>,
    asking: JoinHandle<()>,
}

impl Health {
    /// Asks at this port from now on; `moved` is told of every change. `ready` is what is believed until the first answer.
    pub(super) fn watch(port: u16, ready: bool, moved: Arc<Notify>) -> Self {
        let believed = Arc::new(AtomicBool::new(ready));
        let seen = Arc::clone(&believed);
        let asking = tokio::spawn(async move {
            let (mut misses, mut since) = (0, None);
            loop {
                let serves = timeout(PATIENCE, serves(port)).await.unwrap_or(false);
                misses = if serves { 0 } else { misses + 1 };
                since = if serves { since.or_else(|| Some(Instant::now())) } else { None };
                let steady = since.is_some_and(|since| since.elapsed() >= STEADY);
                let was = seen.load(Ordering::Relaxed);
                let is = steady || (was && misses < MISSES);
                seen.store(is, Ordering::Relaxed);
                if is != was {
                    moved.notify_one();
                }
                sleep(if is { WHILE_READY } else { WHILE_STARTING }).await;
            }
        });
        Self { ready: believed, asking }
    }

    /// Whether it serves.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// Whether `GET /health` answers 200.
async fn serves(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        Ok::<_, std::io::Error>(head)
    };
    ask.await.is_ok_and(|head| head.starts_with(b"HTTP/1.") && head.ends_with(b" 200"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn only_200_is_ready() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for status in ["503 Service Unavailable", "200 OK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 64];
                let _ = stream.read(&mut asked).await.unwrap();
                stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
            }
        });
        assert!(!serves(port).await);
        assert!(serves(port).await);
        assert!(!serves(port).await, "nobody listens any more");
    }
}
