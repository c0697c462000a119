//! The states of runs and of steps, by the words that the database, the command line and the pages use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! states {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The one word for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|state| state.as_str() == text).ok_or_else(|| format!("`{text}` is not a state"))
            }
        }
    };
}

states! {
    /// Where a run stands.
    RunState {
        /// Accepted, not yet picked up by a controller.
        #[default]
        Pending = "pending",
        /// A step is being looked at, acted or verified.
        Running = "running",
        /// A step's goal is not reached yet, or a system is tried again later.
        Waiting = "waiting",
        /// A person is asked.
        Asking = "asking",
        /// A person paused it.
        Paused = "paused",
        /// A guard holds it until it is good again or a person resumes.
        Held = "held",
        /// It may not go on in either direction until a person looks.
        Frozen = "frozen",
        /// A step failed; the world is as planned up to it.
        Failed = "failed",
        /// On its way back.
        Reverting = "reverting",
        /// Taken back, as far as it can be.
        Reverted = "reverted",
        /// Stopped by a person where it stood.
        Aborted = "aborted",
        /// A step of the way back failed; a person must look.
        Stuck = "stuck",
        /// Given up by a person, with a reason.
        Abandoned = "abandoned",
        /// Taken out of service because it brought the controller down again and again.
        Quarantined = "quarantined",
        /// All steps are done.
        Done = "done",
    }
}

impl RunState {
    /// Whether nothing happens any more and the run's resources are free.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Reverted | Self::Aborted | Self::Abandoned)
    }

    /// Whether a person should look: nothing moves until they do something, or until the guard that holds the run is good again.
    #[must_use]
    pub fn needs_person(self) -> bool {
        matches!(self, Self::Asking | Self::Paused | Self::Held | Self::Frozen | Self::Failed | Self::Stuck | Self::Quarantined)
    }
}

states! {
    /// Where a step stands.
    StepState {
        /// Its turn has not come.
        #[default]
        Pending = "pending",
        /// An act of it was begun.
        Acting = "acting",
        /// What it did is being looked at: whether an act has settled, or whether its goal holds.
        Verifying = "verifying",
        /// Its goal is not reached yet, or a system is tried again later.
        Waiting = "waiting",
        /// A person is asked.
        Asking = "asking",
        /// Verified.
        Done = "done",
        /// It was so before.
        AlreadySo = "already_so",
        /// Left as it is, on a way back.
        Kept = "kept",
        /// It failed.
        Failed = "failed",
        /// A person skipped it, with a reason.
        Skipped = "skipped",
    }
}

impl StepState {
    /// Whether the run goes on with the next step.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::AlreadySo | Self::Kept | Self::Skipped)
    }
}
