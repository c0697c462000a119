//! The table: every command has a defined answer in every state of a run. The documentation page is printed from it.

use super::command::Command;
use super::state::RunState;

/// What a command does in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is taken. Says what happens.
    Taken(&'static str),
    /// It is refused. Says why and what would help.
    Refused(&'static str),
}

/// Exit code of `apply` and `watch` when the run rests in this state. See `cutover help exit-codes`.
#[must_use]
pub fn exit_code(state: RunState) -> u8 {
    match state {
        RunState::Done => 0,
        RunState::Pending
        | RunState::Running
        | RunState::Waiting
        | RunState::Asking
        | RunState::Paused
        | RunState::Held
        | RunState::Reverting => 75,
        RunState::Frozen | RunState::Failed | RunState::Aborted | RunState::Abandoned => 100,
        RunState::Reverted => 101,
        RunState::Stuck | RunState::Quarantined => 102,
    }
}

/// The answer to a command in a state.
#[must_use]
#[expect(clippy::match_same_arms, reason = "the table reads by command, and arms that happen to say the same are not the same")]
pub fn rule(state: RunState, command: Command) -> Rule {
    use Command as C;
    use Rule::{Refused, Taken};
    use RunState as S;
    match (state, command) {
        (S::Abandoned, _) => Refused("the run was abandoned; start a new one"),
        (S::Reverted, _) => Refused("the run was taken back; start a new one"),
        (S::Done | S::Aborted, C::Revert) => Taken("takes back what the run did"),
        (S::Done, _) => Refused("the run is done; only revert is left"),
        (S::Aborted, _) => Refused("the run was aborted; only revert is left"),

        (S::Pending | S::Running | S::Waiting | S::Asking | S::Reverting, C::Pause) => {
            Taken("finishes what is under way and begins nothing new")
        }
        (S::Paused, C::Pause) => Refused("the run is paused already"),
        (S::Held, C::Pause) => Taken("stays where it is, also when its guards are good again"),
        (S::Frozen | S::Failed | S::Stuck | S::Quarantined, C::Pause) => Refused("nothing moves that could be paused"),

        (S::Paused, C::Resume) => Taken("goes on"),
        (S::Held, C::Resume) => Taken("ends the hold and goes on once its guards are good; a bad sample holds it again"),
        (S::Frozen, C::Resume) => Taken("tries the step again"),
        (S::Failed | S::Stuck | S::Quarantined, C::Resume) => Refused("a step failed; use retry, or skip with a reason"),
        (S::Asking, C::Resume) => Refused("a person is asked; use approve"),
        (S::Pending | S::Running | S::Waiting | S::Reverting, C::Resume) => Refused("the run is not paused"),

        (S::Asking, C::Approve) => Taken("answers yes"),
        (_, C::Approve) => Refused("nothing is asked"),

        (S::Held, C::Retry) => Refused("no step has failed, a guard holds the run; use resume"),
        (S::Failed | S::Frozen | S::Stuck | S::Quarantined, C::Retry) => Taken("tries the step again"),
        (S::Asking, C::Retry) => Taken("looks at the step again"),
        (_, C::Retry) => Refused("no step has failed"),

        (S::Failed | S::Held | S::Frozen | S::Stuck | S::Waiting | S::Asking, C::Skip) => Taken("goes on without the step"),
        (S::Quarantined, C::Skip) => Taken("goes on without the step"),
        (S::Reverting, C::Skip) => Taken("goes on without the step of the way back that waits"),
        (_, C::Skip) => Refused("only a step that failed, waits or asks can be skipped"),

        (S::Pending | S::Running | S::Waiting | S::Asking | S::Paused | S::Held | S::Failed, C::Revert) => {
            Taken("finishes what is under way and takes everything back")
        }
        (S::Frozen, C::Revert) => Taken("takes back what can be taken back"),
        (S::Reverting, C::Revert) => Refused("the run is on its way back already"),
        (S::Stuck, C::Revert) => {
            Refused("a step of the way back failed; mend what is in its way and retry, or do it by hand and skip with a reason")
        }
        (S::Quarantined, C::Revert) => Refused("the run brought the controller down; use retry first, or abandon"),

        (S::Reverting, C::Abort) => Refused("the run is on its way back; pause it, or let it finish"),
        (S::Stuck | S::Quarantined, C::Abort) => Refused("use abandon, with a reason"),
        (_, C::Abort) => Taken("finishes what is under way and stops there"),

        (S::Failed | S::Held | S::Frozen | S::Stuck | S::Quarantined | S::Asking | S::Paused, C::Abandon) => {
            Taken("gives the run up as it stands")
        }
        (S::Pending | S::Running | S::Waiting, C::Abandon) => Refused("the run can still move; use abort"),
        (S::Reverting, C::Abandon) => Refused("the run is on its way back; pause it first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_is_not_an_end_has_a_verb_that_leaves_it() {
        for state in RunState::ALL.iter().copied().filter(|state| !state.is_end()) {
            let leaves = |command: &Command| *command != Command::Pause && matches!(rule(state, *command), Rule::Taken(_));
            let moves = matches!(state, RunState::Reverting) && matches!(rule(state, Command::Pause), Rule::Taken(_));
            assert!(Command::ALL.iter().any(leaves) || moves, "{state} cannot be left");
        }
    }

    #[test]
    fn an_end_is_left_by_revert_only() {
        for state in RunState::ALL.iter().copied().filter(|state| state.is_end()) {
            for command in Command::ALL {
                let taken = matches!(rule(state, *command), Rule::Taken(_));
                assert!(!taken || *command == Command::Revert, "{state} takes {}", command.as_str());
            }
        }
    }
}
