//! The sockets that a service listens on: handed over by whoever started it, so that old and new instances share one queue of
//! connections, or made by itself when it runs by hand.

use std::net::SocketAddr;

use listenfd::ListenFd;
use tokio::net::TcpListener;

use crate::samples::error::SampleError;

/// Where a service listens.
pub struct Sockets {
    /// The service's own socket.
    pub service: TcpListener,
    /// The socket of this instance alone; by hand there is none, and the other one serves.
    pub instance: Option<TcpListener>,
}

impl Sockets {
    /// Takes what was handed over (the first is the service's, the second the instance's), else makes one at `listen`.
    pub fn take(listen: Option<SocketAddr>) -> Result<Self, SampleError> {
        let mut handed = ListenFd::from_env();
        let mut socket = |number: usize| {
            let error = |source| SampleError::Listen { address: format!("the socket of file descriptor {}", number + 3), source };
            let Some(socket) = handed.take_tcp_listener(number).map_err(error)? else { return Ok(None) };
            socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket)).map(Some).map_err(error)
        };
        if let Some(service) = socket(0)? {
            return Ok(Self { service, instance: socket(1)? });
        }
        let address = listen.ok_or(SampleError::NoSocket)?;
        let error = |source| SampleError::Listen { address: address.to_string(), source };
        let made = std::net::TcpListener::bind(address).map_err(error)?;
        made.set_nonblocking(true).map_err(error)?;
        Ok(Self { service: TcpListener::from_std(made).map_err(error)?, instance: None })
    }
}
