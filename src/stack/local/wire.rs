//! The one question that tells whether a broker can be worked with: which brokers are there? Asked by hand, for a client library
//! would begin to retry and to log.

use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const METADATA: i16 = 3;
const VERSION: i16 = 5;
const CORRELATION: i32 = 0x0c07;
const LONGEST_ANSWER: i32 = 1 << 20;

/// How many brokers of its cluster the broker on this port knows to be working. 0 while it registers itself.
///
/// # Errors
/// When nobody answers there, or not as a broker does.
pub(super) async fn brokers(port: u16) -> io::Result<u32> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(&question()).await?;
    let length = stream.read_i32().await?;
    if !(12..=LONGEST_ANSWER).contains(&length) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a broker's answer"));
    }
    if stream.read_i32().await? != CORRELATION {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer to another question"));
    }
    let _throttle = stream.read_i32().await?;
    let brokers = stream.read_i32().await?;
    u32::try_from(brokers).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a negative number of brokers"))
}

/// A metadata request for no topics: length, API, version, correlation, client name, topics, whether to make topics.
fn question() -> Vec<u8> {
    let client = "cutover-stack";
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(CORRELATION.to_be_bytes());
    body.extend(i16::try_from(client.len()).unwrap_or_default().to_be_bytes());
    body.extend(client.as_bytes());
    body.extend(0_i32.to_be_bytes());
    body.push(0);
    let mut framed = i32::try_from(body.len()).unwrap_or_default().to_be_bytes().to_vec();
    framed.extend(body);
    framed
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answering(answer: Vec<u8>) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_i32().await.unwrap();
            let mut question = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut question).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        });
        port
    }

    #[tokio::test]
    async fn an_answer_says_how_many_brokers_there_are() {
        let fields = [12_i32, CORRELATION, 0, 3];
        let port = answering(fields.iter().flat_map(|field| field.to_be_bytes()).collect()).await;
        assert_eq!(brokers(port).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn another_server_is_not_taken_for_a_broker() {
        let port = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
        assert_eq!(brokers(port).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
