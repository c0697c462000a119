//! The long act: request after request, not faster than was asked for, with the place journaled now and then. It ends in any case: every
//! answer has its time, and so has all of it.

use std::time::Duration;

use futures_util::future::join;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::differ::{Compared, compare, parts};
use super::requests::{Pair, requests};
use super::tally::Tally;
use super::{CompareHttp, Way};
use crate::ports::PortError;
use crate::ports::http::{HttpAnswer, HttpRequest};
use crate::step::{ActContext, StepError};
use crate::steps::common::pause;

/// How often the place is journaled.
const SAVED_EVERY: Duration = Duration::from_secs(2);

/// How long it is waited before a request is sent again: what is under way comes to rest.
const AGAIN: Duration = Duration::from_millis(500);

/// After so many requests in a row of which nothing is known, it ends: nobody is there.
const SILENT: u32 = 5;

/// So many differences more than are let pass are counted, for the picture, and then it ends.
const MORE: u64 = 20;

/// How far the act is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// Requests up to this place are over, the place as text: JSON would round it.
    after: Option<String>,
    tally: Tally,
}

/// Keeps requests apart in time.
struct Pace {
    apart: Duration,
    next: Option<Instant>,
}

impl Pace {
    async fn wait(&mut self) {
        let now = Instant::now();
        if let Some(left) = self.next.and_then(|next| next.checked_duration_since(now)).filter(|left| !left.is_zero()) {
            pause(left).await;
        }
        self.next = Some(Instant::now() + self.apart);
    }
}

impl CompareHttp {
    /// Sends what is left to send, and counts.
    pub(super) async fn play(&self, context: &ActContext) -> Result<Tally, StepError> {
        let left = (self.within.0).saturating_sub((context.now - context.began).to_std().unwrap_or_default());
        let end = Instant::now() + left;
        let pairs = requests(self, context).await?;
        let Cursor { after, mut tally } = context.resume()?.unwrap_or_default();
        let mut after = after.and_then(|place| u64::from_str_radix(&place, 16).ok());
        tally.planned = tally.over() + pairs.iter().filter(|pair| after.is_none_or(|after| pair.place > after)).count() as u64;
        let saved = |after: Option<u64>, tally: &Tally| Cursor { after: after.map(|place| format!("{place:x}")), tally: tally.clone() };
        context.save(&saved(after, &tally)).await?;
        let mut saved_at = Instant::now();
        let mut pace = Pace { apart: Duration::from_secs(1) / self.per_second.max(1), next: None };
        let mut silent = 0;
        for pair in &pairs {
            if after.is_some_and(|after| pair.place <= after) {
                continue;
            }
            if let Some(why) = self.enough(&tally, silent, end) {
                tally.ended = Some(why);
                break;
            }
            let unknown = tally.unknown;
            self.one(context, pair, end, &mut pace, &mut tally).await?;
            silent = if tally.unknown > unknown { silent + 1 } else { 0 };
            after = Some(pair.place);
            if saved_at.elapsed() >= SAVED_EVERY {
                context.save(&saved(after, &tally)).await?;
                saved_at = Instant::now();
            }
        }
        Ok(tally)
    }

    /// Why nothing more is sent, if so.
    fn enough(&self, tally: &Tally, silent: u32, end: Instant) -> Option<String> {
        if silent >= SILENT {
            return Some(format!("nothing is sent after {silent} in a row without an answer"));
        }
        if tally.different > MORE && !self.lets_pass(tally.different - MORE, tally.planned) {
            return Some("too many differ already".to_owned());
        }
        (Instant::now() >= end).then(|| format!("not over within {}", self.within))
    }

    async fn one(&self, context: &ActContext, pair: &Pair, end: Instant, pace: &mut Pace, tally: &mut Tally) -> Result<(), StepError> {
        let ignore: Vec<_> = self.ignore.iter().map(|pointer| parts(pointer)).collect();
        for tries in 1..=self.tries {
            pace.wait().await;
            let (left, right) = join(self.ask(context, &self.left, &pair.left), self.ask(context, &self.right, &pair.right)).await;
            let found = match (left?, right?) {
                (Ok(left), Ok(right)) => compare(&left, &right, self.status, &ignore),
                (Err(why), _) | (_, Err(why)) => Compared::Unknown(why),
            };
            let last = tries == self.tries || Instant::now() + AGAIN >= end;
            match found {
                Compared::Same => {
                    tally.same(tries);
                    return Ok(());
                }
                Compared::Different(differences) if last => {
                    tally.differ(&pair.shown, differences);
                    return Ok(());
                }
                Compared::Unknown(why) if last => {
                    tally.miss(why);
                    return Ok(());
                }
                Compared::Different(_) | Compared::Unknown(_) => {
                    pause(AGAIN).await;
                }
            }
        }
        Ok(())
    }

    /// Asks one way; the inner `Err` says why nothing is known of it.
    async fn ask(&self, context: &ActContext, way: &Way, path: &str) -> Result<Result<HttpAnswer, String>, StepError> {
        let method = self.method.as_str().to_owned();
        let request = HttpRequest { method, path: path.to_owned(), body: None, timeout: self.timeout.0 };
        Ok(match context.world.http(&way.http)?.send(&request).await {
            Ok(answer) if answer.status >= 500 || answer.status == 429 => Err(format!("{} answers {}", way.http, answer.status)),
            Ok(answer) => Ok(answer),
            Err(PortError::Unreachable { .. }) => Err(format!("{} does not answer", way.http)),
            // Why not the system's words: an address may hold what is personal.
            Err(PortError::Invalid { .. }) => {
                Err(format!("{} gives an answer that cannot be read, or does not take the address", way.http))
            }
            Err(error) => return Err(error.into()),
        })
    }
}
