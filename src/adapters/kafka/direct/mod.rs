//! Connections of our own to brokers, for what librdkafka keeps to itself: why a handshake failed, which operations on a topic that is not
//! there yet the broker would allow, who produces, which transaction is open, and the rules that keep a principal from writing. Every call
//! blocks.

mod bytes;
mod call;
mod fences;
mod producers;
mod sasl;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use self::bytes::Writer;
pub(super) use self::call::Said;
use self::call::call;
pub(super) use self::fences::SECURITY_DISABLED;
use self::sasl::Login;
use super::token::TokenSource;
use crate::adapters::secret::Secrets;
use crate::adapters::trust;
use crate::ports::settings::{KafkaSecurity, KafkaSettings, Tls};
use crate::step::StepError;

/// How long a connection may take to come about, and an answer to come.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a broker is given to say that it does not like our certificate, which it says only after the handshake.
const AFTERTHOUGHT: Duration = Duration::from_millis(500);

/// The longest answer that is read, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;

const METADATA_VERSION: i16 = 9;
const NO_ERROR: i16 = 0;
const UNKNOWN_TOPIC: i16 = 3;
const TOPIC_REFUSED: i16 = 29;

/// What a broker lets us do with a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    /// Whether the topic is there; `None` when we may not know.
    pub exists: Option<bool>,
    /// The operations by Kafka's own numbers, as bits.
    pub operations: u32,
}

/// How to reach a cluster without librdkafka.
pub(super) struct Direct {
    hosts: Vec<(String, u16)>,
    tls: Option<Arc<ClientConfig>>,
    written: Tls,
    login: Option<Login>,
}

trait Line: Read + Write + Send {}
impl<T: Read + Write + Send> Line for T {}

impl Direct {
    /// Prepares from the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// As the settings are unfit.
    pub fn new(
        settings: &KafkaSettings,
        token: Option<&Arc<TokenSource>>,
        secrets: &dyn Secrets,
        invalid: &dyn Fn(String) -> StepError,
    ) -> Result<Self, StepError> {
        let hosts = settings.bootstrap.split(',').filter_map(|one| host_and_port(one.trim())).collect();
        let encrypted = matches!(settings.security, KafkaSecurity::Ssl | KafkaSecurity::SaslSsl);
        let tls = settings.tls.clone().unwrap_or_default();
        let config = encrypted.then(|| trust::client(&tls, secrets, invalid)).transpose()?;
        let named = matches!(settings.security, KafkaSecurity::SaslPlaintext | KafkaSecurity::SaslSsl);
        let login = match settings.sasl.as_ref().filter(|_| named) {
            Some(sasl) => Some(Login::new(sasl, token, secrets, invalid)?),
            None => None,
        };
        Ok(Self { hosts, tls: config, written: tls, login })
    }

    /// Why no handshake comes about, in words that help, if that is so and the reason is one of the usual ones.
    pub fn distrust(&self) -> Option<String> {
        let config = self.tls.as_ref()?;
        self.hosts.iter().find_map(|(host, port)| {
            let mut tcp = dial(host, *port).ok()?;
            let mut tls = ClientConnection::new(Arc::clone(config), ServerName::try_from(host.clone()).ok()?).ok()?;
            let mut outcome = Ok((0, 0));
            while outcome.is_ok() && tls.is_handshaking() {
                outcome = tls.complete_io(&mut tcp);
            }
            if outcome.is_ok() {
                tcp.set_read_timeout(Some(AFTERTHOUGHT)).ok()?;
                let read = StreamOwned::new(tls, tcp).read(&mut [0]);
                outcome = read.map(|read| (read, 0));
            }
            let error = outcome.err()?;
            trust::advice(trust::inside(&error)?, &format!("the broker {host}:{port}"), Some(&self.written))
        })
    }

    /// What we may do with these topics, whether they are there or not.
    ///
    /// # Errors
    /// Why the broker could not be asked.
    pub fn allowed(&self, topics: &[String]) -> Result<BTreeMap<String, Allowed>, String> {
        let mut why = "`bootstrap` names no `host:port`".to_owned();
        for (host, port) in &self.hosts {
            match self.ask(host, *port, topics) {
                Ok(found) => return Ok(found),
                Err(error) => why = format!("{host}:{port}: {error}"),
            }
        }
        Err(why)
    }

    /// A connection that is logged in.
    fn open(&self, host: &str, port: u16) -> io::Result<Box<dyn Line>> {
        let tcp = dial(host, port)?;
        let mut line: Box<dyn Line> = match &self.tls {
            Some(config) => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?, tcp))
            }
            None => Box::new(tcp),
        };
        if let Some(login) = &self.login {
            login.log_in(line.as_mut())?;
        }
        Ok(line)
    }

    /// A connection to whichever broker answers first.
    fn any(&self) -> io::Result<Box<dyn Line>> {
        let mut why = io::Error::other("`bootstrap` names no `host:port`");
        for (host, port) in &self.hosts {
            match self.open(host, *port) {
                Ok(line) => return Ok(line),
                Err(error) => why = io::Error::other(format!("{host}:{port}: {error}")),
            }
        }
        Err(why)
    }

    /// A connection to each broker that is up.
    fn each(&self) -> io::Result<Vec<Box<dyn Line>>> {
        let metadata = call(self.any()?.as_mut(), METADATA_VERSION, &about(&[]))?;
        let places = metadata.brokers.iter().filter_map(|broker| Some((broker.host.as_str(), u16::try_from(broker.port).ok()?)));
        places.map(|(host, port)| self.open(host, port)).collect()
    }

    fn ask(&self, host: &str, port: u16, topics: &[String]) -> io::Result<BTreeMap<String, Allowed>> {
        metadata(call(self.open(host, port)?.as_mut(), METADATA_VERSION, &about(topics))?)
    }
}

/// The question about topics. Why all three words: no topic is made, nothing is asked about the cluster, everything about the topics.
fn about(topics: &[String]) -> MetadataRequest {
    let topic = |name: &String| MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.clone()))));
    MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(false)
        .with_include_cluster_authorized_operations(false)
        .with_include_topic_authorized_operations(true)
}

fn metadata(answer: MetadataResponse) -> io::Result<BTreeMap<String, Allowed>> {
    let mut found = BTreeMap::new();
    for topic in answer.topics {
        let name = topic.name.map(|name| name.to_string()).unwrap_or_default();
        let exists = match topic.error_code {
            NO_ERROR => Some(true),
            UNKNOWN_TOPIC => Some(false),
            TOPIC_REFUSED => None,
            other => return Err(io::Error::other(format!("error {other} about topic {name}"))),
        };
        // Why: a broker that does not say it sends the smallest number there is, which is no set of bits.
        let operations = u32::try_from(topic.topic_authorized_operations).unwrap_or_default();
        found.insert(name, Allowed { exists, operations });
    }
    Ok(found)
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let text = text.rsplit_once("://").map_or(text, |(_, place)| place);
    let (host, port) = text.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
}

fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(tcp) => {
                tcp.set_read_timeout(Some(PATIENCE))?;
                tcp.set_write_timeout(Some(PATIENCE))?;
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sends one request and reads its answer, without the answer's header.
fn exchange(line: &mut dyn Line, key: i16, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    const CORRELATION: i32 = 1;
    let mut request = Writer::default();
    request.i16(key);
    request.i16(version);
    request.i32(CORRELATION);
    request.text("cutover");
    let head = request.done();
    let mut frame = Writer::default();
    frame.count(head.len() + body.len());
    line.write_all(&[frame.done(), head, body.to_vec()].concat())?;
    line.flush()?;
    Ok(receive(line)?.split_off(4))
}

/// Sends a request that is put together.
fn transmit(line: &mut dyn Line, request: &[u8]) -> io::Result<()> {
    let mut frame = Writer::default();
    frame.bytes(request);
    line.write_all(&frame.done())?;
    line.flush()
}

/// Reads an answer with its header.
fn receive(line: &mut dyn Line) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    line.read_exact(&mut size)?;
    let size = usize::try_from(i32::from_be_bytes(size)).ok().filter(|size| (4..=LONGEST).contains(size));
    let mut answer = vec![0; size.ok_or_else(|| io::Error::other("the answer is not Kafka's"))?];
    line.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_librdkafka_reads_them() {
        assert_eq!(host_and_port("broker:9092"), Some(("broker".to_owned(), 9092)));
        assert_eq!(host_and_port("SASL_SSL://broker:9092"), Some(("broker".to_owned(), 9092)));
        assert_eq!(host_and_port("[::1]:9092"), Some(("::1".to_owned(), 9092)));
        assert_eq!(host_and_port("broker"), None);
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let read = |bytes: &[u8]| call::decode::<MetadataRequest>(bytes, METADATA_VERSION);
        for length in 0..12 {
            assert!(read(&vec![0; length]).is_err(), "{length}");
        }
        // An answer that claims more brokers than there is memory for, in both ways of counting.
        for claims in [&i32::MAX.to_be_bytes()[..], &[0xff, 0xff, 0xff, 0xff, 0x07], &[0xff, 0xff, 0xff, 0xff, 0xff]] {
            let lies = [&[0; 5][..], claims, &[0; 64]].concat();
            assert!(read(&lies).is_err(), "{claims:?}");
        }
    }
}
