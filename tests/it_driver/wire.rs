//! A network that drops packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Something between a controller and the database that can stop passing anything on, as a network does that drops packets: nobody is
/// told, and nothing is closed.
pub struct Wire {
    /// The URL that leads through it.
    pub url: String,
    /// Connections below this number are silent.
    silent: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

impl Wire {
    /// A wire to where the URL leads.
    pub async fn to(url: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut through = reqwest::Url::parse(url).unwrap();
        let target = (through.host_str().unwrap().to_owned(), through.port().unwrap());
        through.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (silent, made) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let wire = Self { url: through.to_string(), silent: Arc::clone(&silent), made: Arc::clone(&made) };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (far, number) = (tokio::net::TcpStream::connect(target.clone()).await.unwrap(), made.fetch_add(1, Ordering::SeqCst));
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(pass_on(near_in, far_out, number, Arc::clone(&silent)));
                tokio::spawn(pass_on(far_in, near_out, number, Arc::clone(&silent)));
            }
        });
        wire
    }

    /// Every connection that there is falls silent; new ones work. How many there are that spoke until now.
    pub fn fall_silent(&self) -> usize {
        let made = self.made.load(Ordering::SeqCst);
        made - self.silent.swap(made, Ordering::SeqCst)
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: usize, silent: Arc<AtomicUsize>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read) = from.read(&mut buffer).await {
        if number < silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
