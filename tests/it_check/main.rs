//! The whole-plan proof: the migrations that must work, and an independent simulator that tries to break what was proven.

mod books;
mod command;
mod delivered;
mod groups;
mod invented;
mod mutants;
mod today;

use cutover::check::prove;

#[test]
fn every_provable_order_is_proven_with_its_line() {
    for migration in books::all() {
        let proof = prove(&migration.services(), &migration.provable);
        assert!(proof.proven, "{}: {:#?}", migration.name, proof.violations);
        assert_eq!(proof.line, migration.line, "{}", migration.name);
        assert!(proof.start_violations.is_empty(), "{}: {:#?}", migration.name, proof.start_violations);
        println!("{}: {} states", migration.name, proof.states);
    }
}

#[test]
fn every_written_order_is_refused_for_what_it_breaks_and_nothing_else() {
    for migration in books::all() {
        let proof = prove(&migration.services(), &migration.written);
        let mut names: Vec<_> = proof.violations.iter().map(cutover::check::Violation::name).collect();
        names.sort();
        for violation in &proof.violations {
            println!("{} {}: {}\n    {}", migration.name, violation.name(), violation.story, violation.mend);
        }
        assert_eq!(names, migration.refused, "{}: {:#?}", migration.name, proof.violations);
    }
}

#[test]
fn written_orders_are_mended_into_proven_ones() {
    for name in ["p1", "p4", "comm-060a", "us-160", "us-170", "tracker-v2"] {
        let migration = books::load(name);
        let mended = cutover::check::mend(&migration.services(), &migration.written);
        println!("{name}: {:#?}", mended.changes);
        assert!(mended.proven, "{name}: {:#?}", mended.changes);
    }
}

fn names(services: &cutover::services::Services, book: &cutover::check::Book) -> Vec<String> {
    prove(services, book).violations.iter().map(cutover::check::Violation::name).collect()
}

#[test]
fn the_order_of_a_key_is_kept_across_a_flip_by_holding_or_by_a_sink_that_waits() {
    let mut migration = books::load("p3");
    let order = |migration: &mut books::Migration, order| {
        let link = migration.written_services.links.get_mut("assign_manager").expect("the link");
        link.order = Some(order);
    };
    order(&mut migration, cutover::services::Order::PerKey);
    assert_eq!(names(&migration.services(), &migration.provable), ["e:assign_manager/order"]);
    order(&mut migration, cutover::services::Order::SinkWaits);
    assert!(names(&migration.services(), &migration.provable).is_empty());

    order(&mut migration, cutover::services::Order::PerKey);
    let releases = &mut migration.written_services.services.get_mut("exercises").expect("exercises").releases;
    let sends = releases[1].1.sends.as_mut().and_then(|sends| sends.get_mut("assign_manager")).expect("its ways");
    let when = Some("am=hold".parse().expect("a condition"));
    sends.0.push(cutover::services::Use { by: cutover::services::Way::Hold, when });
    let switch = migration.provable.steps.iter().position(|step| step.id == "switch").expect("the flip");
    migration.provable.steps.insert(switch, books::step("hold: flag am hold"));
    assert!(names(&migration.services(), &migration.provable).is_empty(), "through hold, there and back");
    let back = cutover::check::way_back(&migration.services(), &migration.provable, switch + 1, false).expect("a way back");
    let back: Vec<String> = back.iter().map(ToString::to_string).collect();
    let drained = back.iter().position(|one| one.starts_with("drain_topic")).expect("a drain");
    assert!(back.iter().position(|one| one == "flag am hold").expect("hold") < drained, "{back:?}");
    assert!(drained < back.iter().position(|one| one == "flag am call").expect("call"), "{back:?}");
}

#[test]
fn steps_beside_one_another_are_one_instant() {
    let mut migration = books::load("us-160");
    let at = |id: &str, book: &cutover::check::Book| book.steps.iter().position(|step| step.id == id).expect("a step");
    let own_column = at("own-column", &migration.provable);
    migration.provable.steps[own_column].beside = true;
    assert!(names(&migration.services(), &migration.provable).is_empty(), "two columns at once");
    let handler = at("handler", &migration.provable);
    migration.provable.steps[handler].beside = true;
    assert_eq!(names(&migration.services(), &migration.provable), ["c:hiring.exercise.knowledge_area"], "a column and its user at once");
}

#[test]
fn what_is_so_already_is_told_apart_and_hides_nothing_new() {
    let mut migration = books::load("p1");
    // Why: at the start nobody answers the call, so that the need is unfilled today; later another release is at fault.
    let releases = &mut migration.written_services.services.get_mut("exercises").expect("exercises").releases;
    releases[0].1.serves = Some(Vec::new());
    let proof = prove(&migration.services(), &migration.provable);
    let already: Vec<_> = proof.start_violations.iter().map(cutover::check::Violation::name).collect();
    assert_eq!(already, ["a:exercise"]);
    let new: Vec<_> = proof.violations.iter().map(cutover::check::Violation::name).collect();
    assert_eq!(new, ["a:exercise"], "the handler's release calls it as well");
}
