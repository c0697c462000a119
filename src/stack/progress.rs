//! What a long start tells the person who waits: one verb and what it is about, per line.

use std::io::Write;

use tokio::sync::mpsc;

/// Hears what is being done. Lines are in the past tense for what is done and in the present for what goes on.
pub trait Progress: Send {
    /// Tells one line, for instance `Started` and `kafka on 127.0.0.1:20492 in 1.6 s`.
    fn tell(&mut self, verb: &str, what: &str);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&mut self, _: &str, _: &str) {}
}

/// Writes each line to a writer, the verbs flush right.
#[derive(Debug)]
pub struct Lines<W>(pub W);

impl<W: Write + Send> Progress for Lines<W> {
    fn tell(&mut self, verb: &str, what: &str) {
        // Why: nobody is helped when a start fails because the terminal that watched it has gone.
        let _ = writeln!(self.0, "{verb:>11} {what}");
    }
}

/// The end of a channel that several parts speak into while they start side by side.
#[derive(Clone, Debug)]
pub(super) struct Teller(mpsc::UnboundedSender<(&'static str, String)>);

impl Teller {
    pub(super) fn tell(&self, verb: &'static str, what: impl Into<String>) {
        // Why: the listener goes only when the work has been given up, and then nobody wants the line.
        let _ = self.0.send((verb, what.into()));
    }
}

/// Drives `work` to its end and passes on what it tells meanwhile.
pub(super) async fn listen<T, F>(progress: &mut dyn Progress, work: impl FnOnce(Teller) -> F) -> T
where
    F: Future<Output = T>,
{
    let (sender, mut lines) = mpsc::unbounded_channel();
    let work = work(Teller(sender));
    tokio::pin!(work);
    let result = loop {
        tokio::select! {
            biased;
            Some((verb, what)) = lines.recv() => progress.tell(verb, &what),
            result = &mut work => break result,
        }
    };
    while let Ok((verb, what)) = lines.try_recv() {
        progress.tell(verb, &what);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_parts_tell_arrives_in_order_and_whole() {
        let mut lines = Lines(Vec::new());
        let answer = listen(&mut lines, |teller| async move {
            teller.tell("Fetching", "one");
            tokio::task::yield_now().await;
            teller.tell("Started", "two");
            7
        })
        .await;
        assert_eq!(answer, 7);
        assert_eq!(String::from_utf8(lines.0).unwrap(), "   Fetching one\n    Started two\n");
    }
}
