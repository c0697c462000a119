//! Ports and sockets: every service has a port that stays, and instances old and new are handed its listening socket.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};

use super::paths::Paths;
use super::services::Services;
use crate::stack::error::StackError;
use crate::stack::files;
use crate::stack::lock::FileLock;
use crate::stack::{DataDir, local, port};

// Why: connections wait here while every instance is busy; the operating system's own limit cuts it down.
const WAITING: i32 = 4096;

/// The port of every named service, chosen at the first time and kept in the data directory; 0 has one chosen.
///
/// # Errors
/// When no port is free, or the data directory cannot be written.
pub(super) async fn keep(data: &DataDir, wanted: &BTreeMap<String, u16>) -> Result<BTreeMap<String, u16>, StackError> {
    let paths = Paths::new(data);
    let _lock = FileLock::take(&paths.ports_lock(), || ()).await?;
    let before = read(data)?;
    let mut kept = before.clone();
    for (service, explicit) in wanted.iter().filter(|(_, port)| **port != 0) {
        kept.insert(service.clone(), *explicit);
    }
    let mut taken = kept.values().copied().chain(local::ports(data)?).collect();
    for service in wanted.keys() {
        if !kept.contains_key(service) {
            kept.insert(service.clone(), port::choose(&mut taken).ok_or(StackError::NoPort)?);
        }
    }
    if kept != before {
        files::write_json(&paths.ports(), &kept)?;
    }
    Ok(kept)
}

/// Another port for a service whose port somebody else has taken.
pub(super) async fn move_away(data: &DataDir, service: &str) -> Result<u16, StackError> {
    let paths = Paths::new(data);
    let lock = FileLock::take(&paths.ports_lock(), || ()).await?;
    let mut kept = read(data)?;
    kept.remove(service);
    files::write_json(&paths.ports(), &kept)?;
    drop(lock);
    let kept = keep(data, &BTreeMap::from([(service.to_owned(), 0)])).await?;
    kept.get(service).copied().ok_or(StackError::NoPort)
}

/// The ports that were chosen so far.
pub(super) fn read(data: &DataDir) -> Result<BTreeMap<String, u16>, StackError> {
    Ok(files::read_json(&Paths::new(data).ports())?.unwrap_or_default())
}

/// The ports that a services file asks for.
pub(super) fn wanted(services: &Services) -> BTreeMap<String, u16> {
    services.services.iter().map(|(name, service)| (name.clone(), service.port)).collect()
}

/// A socket on which instances accept: at this port, or for 0 at one that the operating system chooses.
///
/// # Errors
/// When somebody else listens there.
pub(super) fn listen(port: u16) -> io::Result<(OwnedFd, u16)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // Why: after a supervisor that was killed, instances that live on still accept at this port.
    if port != 0 {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(WAITING)?;
    socket.set_nonblocking(true)?;
    let bound = socket.local_addr()?.as_socket().map_or(port, |address| address.port());
    Ok((socket.into(), bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_chosen_port_stays_and_a_named_one_wins() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(&directory.path().join("data")).unwrap();
        let asked = |ports: &[(&str, u16)]| ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        let first = keep(&data, &asked(&[("hiring", 0), ("bonuses", 0)])).await.unwrap();
        assert_ne!(first["hiring"], first["bonuses"]);
        assert_eq!(keep(&data, &asked(&[("hiring", 0)])).await.unwrap(), first);
        assert_eq!(keep(&data, &asked(&[("hiring", 7001)])).await.unwrap()["hiring"], 7001);
        assert_ne!(move_away(&data, "hiring").await.unwrap(), 7001);
    }

    #[test]
    fn two_of_ours_may_listen_at_one_port_and_a_stranger_may_not() {
        let (_first, port) = {
            let chosen = port::choose(&mut std::collections::BTreeSet::new()).unwrap();
            listen(chosen).unwrap()
        };
        let (_second, _) = listen(port).unwrap();
        assert!(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
