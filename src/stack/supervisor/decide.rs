//! What is to be done so that what runs of one service becomes what should run. Pure.

use tokio::time::Instant;

use super::slot::{PATIENCE, Slot};
use crate::ports::workloads::Desired;

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Make a place for one more instance.
    Add,
    /// Start the instance in this place.
    Start(usize),
    /// Tell the instance in this place to finish what it has and end.
    End(usize),
    /// Kill it: it was told to end and did not.
    Kill(usize),
    /// Give up the place: nothing runs in it and nothing should.
    Forget(usize),
}

/// What is to be done now. Instances of another release, of an earlier supervisor, or too many go once enough of the others serve, so
/// that there are never fewer than should be; one that does not serve goes at once.
pub(super) fn decide(desired: &Desired, slots: &[&Slot], now: Instant) -> Vec<Deed> {
    let wanted = usize::try_from(desired.instances).unwrap_or(usize::MAX);
    let mut deeds = Vec::new();
    let mut fitting: Vec<usize> = Vec::new();
    let mut unfitting: Vec<usize> = Vec::new();
    for (at, slot) in slots.iter().enumerate() {
        match slot.told {
            Some(_) if slot.running.is_none() => deeds.push(Deed::Forget(at)),
            Some(told) if !slot.killed && now.duration_since(told) >= PATIENCE => deeds.push(Deed::Kill(at)),
            Some(_) => {}
            None if slot.release == desired.release && !slot.adopted => fitting.push(at),
            None => unfitting.push(at),
        }
    }
    let slot = |at: &usize| slots.get(*at);
    let serves = |at: &usize| slot(at).is_some_and(|slot| slot.is_ready());
    // Why: those that serve stay, then those that were there first.
    fitting.sort_by_key(|at| (!serves(at), *at));
    let surplus = fitting.split_off(wanted.min(fitting.len()));
    deeds.extend((fitting.len()..wanted).map(|_| Deed::Add));
    deeds.extend(fitting.iter().filter(|at| slot(at).is_some_and(|slot| slot.is_due(now))).map(|at| Deed::Start(*at)));
    let enough = fitting.iter().filter(|at| serves(at)).count() >= wanted;
    for at in unfitting.iter().chain(&surplus) {
        if slot(at).is_some_and(|slot| slot.running.is_none()) {
            deeds.push(Deed::Forget(*at));
        } else if enough || !serves(at) {
            deeds.push(Deed::End(*at));
        }
    }
    deeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::process::Identity;
    use crate::stack::supervisor::health::Health;
    use crate::stack::supervisor::process::Running;

    fn desired(release: &str, instances: u32) -> Desired {
        Desired { release: release.to_owned(), instances }
    }

    /// Runs, and serves or not. Within a runtime, for its health is watched.
    fn slot(release: &str, ready: bool, now: Instant) -> Slot {
        let mut slot = Slot::new("hiring", release, now);
        slot.begin(now);
        slot.running = Some(Running::adopted(Identity::own()));
        slot.health = Some(Health::watch(0, ready, std::sync::Arc::default()));
        slot
    }

    fn ask(desired: &Desired, slots: &[Slot], now: Instant) -> Vec<Deed> {
        decide(desired, &slots.iter().collect::<Vec<_>>(), now)
    }

    #[tokio::test]
    async fn new_ones_are_added_and_old_ones_stay_until_all_new_ones_serve() {
        let now = Instant::now();
        let mut slots = vec![slot("1.4", true, now), slot("1.4", true, now)];
        assert_eq!(ask(&desired("1.5", 2), &slots, now), [Deed::Add, Deed::Add]);
        slots.push(slot("1.5", true, now));
        slots.push(slot("1.5", false, now));
        assert_eq!(ask(&desired("1.5", 2), &slots, now), []);
        slots[3] = slot("1.5", true, now);
        assert_eq!(ask(&desired("1.5", 2), &slots, now), [Deed::End(0), Deed::End(1)]);
    }

    #[tokio::test]
    async fn a_release_that_never_serves_takes_nothing_away_and_goes_when_it_is_taken_back() {
        let now = Instant::now();
        let mut broken = slot("1.5", false, now);
        broken.running = None;
        broken.died("exit code 1", now);
        let slots = [slot("1.4", true, now), broken];
        assert_eq!(ask(&desired("1.5", 1), &slots, now), []);
        assert_eq!(ask(&desired("1.5", 1), &slots, slots[1].next().unwrap()), [Deed::Start(1)]);
        assert_eq!(ask(&desired("1.4", 1), &slots, now), [Deed::Forget(1)]);
    }

    #[tokio::test]
    async fn fewer_are_ended_newest_first_and_those_that_do_not_serve_before() {
        let now = Instant::now();
        let slots = [slot("1.5", true, now), slot("1.5", false, now), slot("1.5", true, now)];
        assert_eq!(ask(&desired("1.5", 1), &slots, now), [Deed::End(2), Deed::End(1)]);
        assert_eq!(ask(&desired("1.5", 0), &slots, now).len(), 3);
    }

    #[tokio::test]
    async fn one_of_an_earlier_supervisor_is_replaced() {
        let now = Instant::now();
        let mut old = slot("1.5", true, now);
        old.adopted = true;
        assert_eq!(ask(&desired("1.5", 1), &[old], now), [Deed::Add]);
    }

    #[tokio::test]
    async fn one_that_was_told_to_end_is_killed_late_and_forgotten_when_gone() {
        let now = Instant::now();
        let mut told = slot("1.4", true, now);
        told.told = Some(now);
        let mut slots = [slot("1.5", true, now), told];
        assert_eq!(ask(&desired("1.5", 1), &slots, now), []);
        assert_eq!(ask(&desired("1.5", 1), &slots, now + PATIENCE), [Deed::Kill(1)]);
        slots[1].running = None;
        assert_eq!(ask(&desired("1.5", 1), &slots, now), [Deed::Forget(1)]);
    }
}
