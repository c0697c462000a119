//! Promises of whatever runs services. `service` is one that it can run, of which nothing was ever asked for.

use std::time::Duration;

use cutover::ports::PortError;
use cutover::ports::workloads::{Desired, DesiredChange, Instance, InstanceState, Workloads};

use super::fresh;

fn desired(release: &str, instances: u32) -> Desired {
    Desired { release: release.to_owned(), instances }
}

fn change(service: &str, before: Option<Desired>, after: Desired) -> DesiredChange {
    DesiredChange { key: fresh("change"), service: service.to_owned(), before, after }
}

/// Waits until the service's instances are as they should be.
async fn until(workloads: &dyn Workloads, service: &str, fits: impl Fn(&[Instance]) -> bool) -> Vec<Instance> {
    let mut last = Vec::new();
    for _ in 0..1200 {
        last = workloads.instances(Some(service)).await.unwrap();
        if fits(&last) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the instances stay {last:?}");
}

pub async fn what_is_asked_for_comes_to_run(workloads: &dyn Workloads, service: &str) {
    assert_eq!(workloads.desired(service).await.unwrap(), None);
    assert_eq!(workloads.instances(Some(service)).await.unwrap(), []);
    let first = change(service, None, desired("1.4", 2));
    assert!(!workloads.is_changed(&first.key).await.unwrap());
    workloads.change(&first).await.unwrap();
    assert!(workloads.is_changed(&first.key).await.unwrap());
    assert_eq!(workloads.desired(service).await.unwrap(), Some(desired("1.4", 2)));
    let at = |release: &'static str, count: usize| {
        move |found: &[Instance]| {
            found.len() == count && found.iter().all(|instance| instance.state == InstanceState::Ready && instance.release == release)
        }
    };
    let old = until(workloads, service, at("1.4", 2)).await;
    assert!(old.iter().all(|instance| instance.service == service && instance.reason.is_empty()));
    assert_ne!(old[0].instance, old[1].instance);
    workloads.change(&change(service, Some(desired("1.4", 2)), desired("1.5", 1))).await.unwrap();
    let new = until(workloads, service, at("1.5", 1)).await;
    assert!(old.iter().all(|old| old.instance != new[0].instance), "a name is one process' for ever");
    assert!(workloads.instances(None).await.unwrap().contains(&new[0]));
    workloads.change(&change(service, Some(desired("1.5", 1)), desired("1.5", 0))).await.unwrap();
    until(workloads, service, <[Instance]>::is_empty).await;
}

pub async fn the_same_key_changes_once(workloads: &dyn Workloads, service: &str) {
    let first = change(service, None, desired("1.4", 1));
    workloads.change(&first).await.unwrap();
    workloads.change(&change(service, Some(desired("1.4", 1)), desired("1.4", 0))).await.unwrap();
    workloads.change(&first).await.expect("asked again, after somebody else's change");
    assert_eq!(workloads.desired(service).await.unwrap(), Some(desired("1.4", 0)));
}

pub async fn a_change_on_something_else_than_was_seen_is_a_conflict(workloads: &dyn Workloads, service: &str) {
    workloads.change(&change(service, None, desired("1.4", 0))).await.unwrap();
    for before in [None, Some(desired("1.5", 0)), Some(desired("1.4", 1))] {
        let stale = change(service, before, desired("1.6", 1));
        let error = workloads.change(&stale).await.unwrap_err();
        assert!(matches!(error, PortError::Conflict { .. }), "{error:?}");
        assert!(!workloads.is_changed(&stale.key).await.unwrap());
    }
    assert_eq!(workloads.desired(service).await.unwrap(), Some(desired("1.4", 0)));
}
