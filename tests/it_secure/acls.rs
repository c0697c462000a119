//! Single ACLs taken away and put back by whoever administers the broker, in Kafka's own bytes: its tool would take seconds for each.

use std::io::{Read, Write};
use std::net::TcpStream;

const CREATE: i16 = 30;
const DELETE: i16 = 31;
const LITERAL: u8 = 3;
const ALLOW: u8 = 3;

/// An ACL that allows one operation.
#[derive(Clone, Copy, Debug)]
pub struct Acl<'a> {
    /// `topic` or `group`.
    pub sort: &'a str,
    pub name: &'a str,
    pub principal: &'a str,
    /// As `cutover doctor --rights` writes it in JSON.
    pub operation: &'a str,
}

impl Acl<'_> {
    /// Grants it.
    pub fn add(&self, bootstrap: &str) {
        let answer = send(bootstrap, CREATE, &[&1_i32.to_be_bytes()[..], &self.bytes()].concat());
        // After the throttling and the number of results.
        assert_eq!(answer[8..10], [0, 0], "{self:?} was not added: {answer:?}");
    }

    /// Takes it away, and insists that it was there.
    pub fn remove(&self, bootstrap: &str) {
        let answer = send(bootstrap, DELETE, &[&1_i32.to_be_bytes()[..], &self.bytes()].concat());
        assert_eq!(answer[8..10], [0, 0], "{self:?} was not removed: {answer:?}");
        // After the error comes an empty text, and then how many fitted.
        assert_eq!(answer[12..16], 1_i32.to_be_bytes(), "{self:?} was not there: {answer:?}");
    }

    fn bytes(&self) -> Vec<u8> {
        let sort = match self.sort {
            "topic" => 2,
            "group" => 3,
            other => panic!("{other}"),
        };
        let operation = match self.operation {
            "read" => 3,
            "write" => 4,
            "create" => 5,
            "delete" => 6,
            "alter" => 7,
            "describe" => 8,
            "describe_configs" => 10,
            "alter_configs" => 11,
            other => panic!("{other}"),
        };
        [&[sort][..], &text(self.name), &[LITERAL], &text(self.principal), &text("*"), &[operation, ALLOW]].concat()
    }
}

fn text(value: &str) -> Vec<u8> {
    [&i16::try_from(value.len()).unwrap().to_be_bytes()[..], value.as_bytes()].concat()
}

fn send(bootstrap: &str, key: i16, body: &[u8]) -> Vec<u8> {
    let version = 1_i16;
    let request = [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &text("tests"), body].concat();
    let mut line = TcpStream::connect(bootstrap).unwrap();
    line.write_all(&[&i32::try_from(request.len()).unwrap().to_be_bytes()[..], &request].concat()).unwrap();
    let mut size = [0; 4];
    line.read_exact(&mut size).unwrap();
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
    line.read_exact(&mut answer).unwrap();
    answer.split_off(4)
}
