//! A `cutover serve` in a process of its own that kills itself at a crash point.

use std::process::{Child, Command, Stdio};

use cutover::stack::process::Identity;

use super::case::LEASE;
use super::support::{PROGRAM, Servers};

pub struct Controller {
    child: Child,
}

impl Controller {
    pub fn start(servers: &Servers, database: &str, name: &str, crash: &str) -> Self {
        let data = servers.directory.join(name);
        let child = Command::new(PROGRAM)
            .args(["serve", "--background", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("CUTOVER_DATABASE_URL", database)
            .env("CUTOVER_CRASH", crash)
            .env("CUTOVER_LEASE_MS", LEASE.as_millis().to_string())
            .env("CUTOVER_LOG", "off")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        if let Some(process) = Identity::of(child.id()) {
            servers.end_with_tests(&process);
        }
        Self { child }
    }

    pub fn is_dead(&mut self) -> bool {
        let Some(status) = self.child.try_wait().unwrap() else { return false };
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "the controller ended by itself: {status}");
        true
    }

    /// Ends it if it lives, without a chance to hand anything over.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}
