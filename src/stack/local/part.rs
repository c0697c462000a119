//! How a part of the stack that is one process comes up: found or launched, waited for, told of. Knows no part by name.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::seconds;
use crate::stack::error::StackError;
use crate::stack::process::Identity;
use crate::stack::progress::Teller;

/// One part on its way up.
pub(super) struct Part<'a> {
    /// As people call it.
    pub name: &'static str,
    /// Where it answers.
    pub address: &'a str,
    /// Its directory.
    pub directory: &'a Path,
    /// What it says.
    pub log: &'a Path,
    /// When its coming up began.
    pub since: Instant,
    /// How long it may take to answer.
    pub start: Duration,
    /// The pause between two looks.
    pub poll: Duration,
}

impl Part<'_> {
    /// The process that was found, or else a launched one, once it answers or will not; with why it does not answer then. `found` is
    /// emptied when it turned out to be gone.
    ///
    /// # Errors
    /// The launch's.
    pub(super) async fn rise<L, A>(
        &self,
        found: &mut Option<Identity>,
        launch: impl Fn() -> L,
        answers: impl Fn() -> A,
    ) -> Result<(Identity, Result<(), String>), StackError>
    where
        L: Future<Output = Result<Identity, StackError>>,
        A: Future<Output = Result<(), String>>,
    {
        loop {
            let process = match &*found {
                Some(process) => process.clone(),
                None => launch().await?,
            };
            let last = self.wait(&process, &answers).await;
            // Why: one that was found may have been on its way out.
            if process.is_alive() || found.take().is_none() {
                return Ok((process, last));
            }
        }
    }

    /// Waits until the process answers, has died, or has had its time; says why it does not answer.
    pub(super) async fn wait<A>(&self, process: &Identity, answers: impl Fn() -> A) -> Result<(), String>
    where
        A: Future<Output = Result<(), String>>,
    {
        let deadline = Instant::now() + self.start;
        loop {
            let Err(reason) = answers().await else { return Ok(()) };
            if !process.is_alive() || Instant::now() >= deadline {
                return Err(reason);
            }
            sleep(self.poll).await;
        }
    }

    /// Tells how it came up.
    ///
    /// # Errors
    /// When it did not: [`StackError::died`] or [`StackError::no_answer`].
    pub(super) fn tell(&self, teller: &Teller, process: &Identity, found: bool, last: Result<(), String>) -> Result<(), StackError> {
        let Self { name, address, .. } = self;
        match last {
            Ok(()) if found => teller.tell("Running", format!("{name} on {address}, already up")),
            Ok(()) => teller.tell("Started", format!("{name} on {address} in {}", seconds(self.since))),
            Err(_) if !process.is_alive() => return Err(StackError::died(name, self.log, self.directory)),
            Err(reason) => return Err(StackError::no_answer(name, *address, self.start.as_secs(), reason, self.log)),
        }
        Ok(())
    }
}
