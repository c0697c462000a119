//! One question to a broker and its answer, in the messages of the crate `kafka-protocol`. It makes room for as many things as an answer
//! claims to hold before it has seen one; so answers are read through [`Frugal`], which believes no claim that the bytes cannot keep.
//! That works in the newer form of messages only, in which every count is written in the same way.

use std::fmt;
use std::io;

use bytes::{Buf, Bytes, BytesMut, TryGetError};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::buf::ByteBuf;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use super::{Line, receive, transmit};

const CORRELATION: i32 = 1;

/// What a broker answered instead of doing what it was asked: Kafka's own number, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Refusal {
    pub code: i16,
    pub text: String,
}

/// Why something was not done.
#[derive(Debug)]
pub(in super::super) enum Said {
    /// There was no answer, or none that makes sense.
    Nothing(io::Error),
    /// The broker says no.
    No(Refusal),
}

impl From<io::Error> for Said {
    fn from(error: io::Error) -> Self {
        Self::Nothing(error)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(error) => write!(f, "{error}"),
            Self::No(refusal) => write!(f, "{} (error {})", refusal.text, refusal.code),
        }
    }
}

/// No error, or the broker's.
pub(super) fn fine(code: i16, text: Option<&str>) -> Result<(), Said> {
    if code == 0 { Ok(()) } else { Err(Said::No(Refusal { code, text: text.unwrap_or("the broker says no").to_owned() })) }
}

/// Asks.
pub(super) fn call<R: Request>(line: &mut dyn Line, version: i16, request: &R) -> io::Result<R::Response> {
    let mut bytes = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION)
        .with_client_id(Some(StrBytes::from_static_str("cutover")));
    header.encode(&mut bytes, R::header_version(version)).map_err(io::Error::other)?;
    request.encode(&mut bytes, version).map_err(io::Error::other)?;
    transmit(line, &bytes)?;
    decode::<R>(&receive(line)?, version)
}

/// Reads an answer, its header included.
pub(super) fn decode<R: Request>(answer: &[u8], version: i16) -> io::Result<R::Response> {
    let header = <R::Response as HeaderVersion>::header_version(version);
    if header == 0 {
        return Err(io::Error::other("a message of the older form is not read here"));
    }
    let mut bytes = Frugal { rest: answer, claim: 0, shift: 0 };
    ResponseHeader::decode(&mut bytes, header).map_err(|_| broken())?;
    R::Response::decode(&mut bytes, version).map_err(|_| broken())
}

fn broken() -> io::Error {
    io::Error::other("the answer breaks off, or is not Kafka's")
}

/// Bytes that give out no count that is larger than what is left of them.
struct Frugal<'a> {
    rest: &'a [u8],
    /// The count as far as it was read.
    claim: u64,
    shift: u32,
}

impl Buf for Frugal<'_> {
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn chunk(&self) -> &[u8] {
        self.rest
    }

    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Counts and flags are all that is read byte by byte; a flag is no larger than 1.
    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let short = TryGetError { requested: 1, available: self.rest.len() };
        let Some((first, rest)) = self.rest.split_first() else { return Err(short) };
        self.rest = rest;
        self.claim |= u64::from(first & 0x7f) << self.shift;
        self.shift += 7;
        if *first < 0x80 || self.shift >= 35 {
            let claim = std::mem::take(&mut self.claim);
            self.shift = 0;
            // Why one more: a count is written larger by one, for 0 means that there is none.
            if claim > u64::try_from(self.rest.len()).unwrap_or(u64::MAX).saturating_add(1) {
                return Err(TryGetError { requested: usize::try_from(claim).unwrap_or(usize::MAX), available: self.rest.len() });
            }
        }
        Ok(*first)
    }
}

impl ByteBuf for Frugal<'_> {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        Bytes::copy_from_slice(self.rest.get(range).unwrap_or_default())
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        let (taken, rest) = self.rest.split_at_checked(size).unwrap_or((self.rest, &[]));
        self.rest = rest;
        Bytes::copy_from_slice(taken)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeProducersRequest, DescribeTransactionsRequest,
        FindCoordinatorRequest, InitProducerIdRequest, ListTransactionsRequest,
    };
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_an_answer_or_an_error(bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 0..200)) {
            let _ = decode::<DescribeProducersRequest>(&bytes, 0);
            let _ = decode::<DescribeTransactionsRequest>(&bytes, 0);
            let _ = decode::<ListTransactionsRequest>(&bytes, 0);
            let _ = decode::<FindCoordinatorRequest>(&bytes, 3);
            let _ = decode::<InitProducerIdRequest>(&bytes, 4);
            let _ = decode::<CreateAclsRequest>(&bytes, 2);
            let _ = decode::<DeleteAclsRequest>(&bytes, 2);
            let _ = decode::<DescribeAclsRequest>(&bytes, 2);
        }
    }
}
