//! Ports on the loopback address that stay the same over restarts.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};

use rand::Rng;

// Why: below the range from which operating systems take the ports of outgoing connections, so that a kept port is not taken by
// one of those while its part is down.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Whether nobody listens on this port of 127.0.0.1.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Chooses a free port that is not in `taken`, and adds it there. `None` when there is none left.
pub fn choose(taken: &mut BTreeSet<u16>) -> Option<u16> {
    let mut random = rand::rng();
    let tries = std::iter::repeat_with(|| random.random_range(RANGE)).take(200).collect::<Vec<_>>();
    let port = tries.into_iter().chain(RANGE).find(|port| !taken.contains(port) && is_free(*port))?;
    taken.insert(port);
    Some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free_and_none_is_given_twice() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
        let mut taken = BTreeSet::new();
        let chosen: BTreeSet<_> = (0..50).filter_map(|_| choose(&mut taken)).collect();
        assert_eq!(chosen.len(), 50);
    }
}
