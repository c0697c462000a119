//! Small services and plans that nobody wrote: moves between calls and events as they are made in earnest, with slips in what is declared
//! and in the order of the steps. The same seed invents the same for ever.

use serde_json::{Map, Value, json};

use super::random::Random;
use crate::check::{Book, BookStep};
use crate::services::{Services, Start, Written};
use crate::step::{DrainGoal, Move};

/// What was invented.
#[derive(Clone, Debug)]
pub struct Invented {
    /// What the services declare.
    pub written: Written,
    /// The same, with its defaults.
    pub services: Services,
    /// The steps. Each names itself the line, because whether somebody named it is no question of what is lost.
    pub book: Book,
}

/// Releases of one service, the oldest first.
type Releases = Vec<(&'static str, Value)>;

/// A part of a plan: one link between two services, and the steps that move it.
struct Part {
    link: (String, Value),
    event: (String, Value),
    services: [(String, Releases); 2],
    flags: Vec<(String, &'static str)>,
    moves: Vec<Move>,
}

/// Invents services and a plan; `None` when what was invented cannot be declared so.
#[must_use]
pub fn invent(seed: u64) -> Option<Invented> {
    let mut random = Random::new(seed ^ 0x5EED_0F70_3217_0000);
    let count = if random.once_in(3) { 2 } else { 1 };
    // Why another source: which effects have an order must not change what else a seed invents.
    let mut orders = Random::new(seed ^ 0x0DE2_0000_0000_0000);
    let parts: Vec<Part> = (0..count).map(|at| ordered(part(at, &mut random), &mut orders)).collect();
    let (mut links, mut events, mut services) = (Map::new(), Map::new(), Map::new());
    let mut start = Start::default();
    let mut queues: Vec<Vec<Move>> = Vec::new();
    for Part { link, event, services: two, flags, mut moves } in parts {
        links.insert(link.0, link.1);
        events.insert(event.0, event.1);
        for (name, mut releases) in two {
            slip(&mut releases, &mut random);
            start.releases.extend(releases.first().map(|(first, _)| (name.clone(), (*first).to_owned())));
            services.insert(name, releases.into_iter().map(|(release, body)| (release.to_owned(), body)).collect::<Map<_, _>>().into());
        }
        start.flags.extend(flags.into_iter().map(|(flag, variant)| (flag, variant.to_owned())));
        moves.reverse();
        queues.push(moves);
    }
    let mut moves = Vec::new();
    while !queues.is_empty() {
        let at = random.below(queues.len());
        match queues.get_mut(at).and_then(Vec::pop) {
            Some(one) => moves.push(one),
            None => {
                queues.remove(at);
            }
        }
    }
    disorder(&mut moves, &mut random);
    let written: Written = serde_json::from_value(json!({ "links": links, "events": events, "services": services })).ok()?;
    let services = Services::new(&written).ok()?;
    let steps = (1..).zip(moves).map(|(number, one)| BookStep { line: true, ..BookStep::new(format!("s{number}"), vec![one]) });
    let book = Book { start, steps: steps.collect(), ..Book::default() };
    Some(Invented { written, services, book })
}

fn part(at: usize, random: &mut Random) -> Part {
    match random.below(5) {
        0 => state_to_events(at, random),
        1 => state_to_calls(at, random),
        2 => effect_to_events(at, random),
        3 => effect_to_calls(at, random),
        _ => new_version(at, random),
    }
}

/// Gives an effect an order per key, and mostly the plan a variant that holds, with the waits of the plan behind it.
fn ordered(mut part: Part, random: &mut Random) -> Part {
    if part.link.1.get("effect") != Some(&Value::Bool(true)) || !random.once_in(2) {
        return part;
    }
    part.link.1["order"] = json!("per_key");
    let Some((way, _)) = part.flags.first().cloned() else { return part };
    let Some(flip) = part.moves.iter().position(|one| matches!(one, Move::Flag { .. })) else { return part };
    let [(_, shops), _] = &mut part.services;
    let both = shops.get_mut(1).and_then(|(_, body)| body.pointer_mut(&format!("/sends/{}", part.link.0)));
    if let Some(ways) = both.and_then(Value::as_array_mut) {
        ways.push(json!({ "by": "hold", "when": format!("{way}=hold") }));
    }
    if !random.once_in(4) {
        let mut rest = part.moves.split_off(flip);
        let waits = |one: &Move| matches!(one, Move::Retire { .. } | Move::Drain { .. });
        part.moves.push(flag(&way, "hold"));
        part.moves.extend(rest.iter().filter(|one| waits(one)).cloned());
        rest.retain(|one| !waits(one));
        part.moves.extend(rest);
    }
    part
}

fn release(service: &str, release: &str) -> Move {
    Move::Release { service: service.to_owned(), release: release.to_owned() }
}

fn flag(flag: &str, to: &str) -> Move {
    Move::Flag { flag: flag.to_owned(), to: to.to_owned() }
}

fn drain(topic: &str, event: &str, goal: DrainGoal) -> Move {
    Move::Drain { topic: topic.to_owned(), event: Some(event.to_owned()), groups: Vec::new(), goal }
}

fn topic_and_schema(topic: &str, event: &str, compacted: bool) -> Vec<Move> {
    vec![
        Move::CreateTopic { topic: topic.to_owned(), compacted: Some(compacted) },
        Move::RegisterSchema { event: event.to_owned(), topic: Some(topic.to_owned()), required: None },
    ]
}

/// A copy is filled: published, and read up to there.
fn copied(shop: &str, desk: &str, topic: &str, event: &str) -> [Move; 2] {
    let (table, group) = (format!("{shop}.thing"), desk.to_owned());
    [Move::Snapshot { table, topic: topic.to_owned(), event: Some(event.to_owned()) }, Move::CatchUp { group, topic: topic.to_owned() }]
}

fn state_link(shop: &str, desk: &str, event: &str, random: &mut Random) -> Value {
    let mut link = json!({ "state": format!("{shop}.thing"), "copy": format!("{desk}.thing"), "http": "GET /thing", "event": event });
    if !random.once_in(12) {
        link["seq"] = json!("version");
    }
    link
}

fn state_event(topic: &str, random: &mut Random) -> Value {
    let mut event = json!({ "topic": topic, "key": "id" });
    if random.once_in(2) {
        event["fields"] = json!({ "0": ["title"] });
    }
    event
}

fn state_to_events(at: usize, random: &mut Random) -> Part {
    let (shop, desk, link, event, topic) = names(at);
    let (feed, read) = (format!("feed{at}"), format!("read{at}"));
    let label = format!("{event}@0");
    let by_flag = !random.once_in(3);
    let produced = if by_flag { json!([{ "event": label, "when": format!("{feed}=on") }]) } else { json!([label]) };
    let ends = if random.once_in(3) { json!({ "produces": [label] }) } else { json!({ "serves": [], "produces": [label] }) };
    let both = json!([{ "by": "call", "when": format!("{read}=call") }, { "by": "copy", "when": format!("{read}=copy") }]);
    let shops = vec![
        ("1.0", json!({ "serves": [link], "reads": ["thing.title"], "writes": { "thing": ["title"] } })),
        ("1.1", json!({ "produces": produced })),
        ("1.2", ends),
    ];
    let handler =
        json!({ "handles": { label.clone(): { "writes": ["thing.title"] } }, "reads": ["thing.title"], "uses": { link.clone(): both } });
    let desks =
        vec![("1.0", json!({ "uses": { link.clone(): "call" } })), ("1.1", handler), ("1.2", json!({ "uses": { link.clone(): "copy" } }))];
    let mut moves = topic_and_schema(&topic, &label, true);
    moves.extend([release(&desk, "1.1"), release(&shop, "1.1")]);
    let mut flags = vec![(read.clone(), "call")];
    if by_flag {
        moves.push(flag(&feed, "on"));
        flags.push((feed, "off"));
    }
    moves.extend(copied(&shop, &desk, &topic, &label));
    moves.extend([flag(&read, "copy"), release(&desk, "1.2"), release(&shop, "1.2")]);
    Part {
        link: (link, state_link(&shop, &desk, &event, random)),
        event: (event, state_event(&topic, random)),
        services: [(shop, shops), (desk, desks)],
        flags,
        moves,
    }
}

fn state_to_calls(at: usize, random: &mut Random) -> Part {
    let (shop, desk, link, event, topic) = names(at);
    let (feed, read) = (format!("feed{at}"), format!("read{at}"));
    let label = format!("{event}@0");
    let both = json!([{ "by": "call", "when": format!("{read}=call") }, { "by": "copy", "when": format!("{read}=copy") }]);
    let shops = vec![
        ("2.0", json!({ "produces": [label], "reads": ["thing.title"], "writes": { "thing": ["title"] } })),
        ("2.1", json!({ "serves": [link], "produces": [{ "event": label, "when": format!("{feed}=on") }] })),
        ("2.2", json!({ "produces": [] })),
    ];
    let first =
        json!({ "handles": { label.clone(): { "writes": ["thing.title"] } }, "reads": ["thing.title"], "uses": { link.clone(): "copy" } });
    let desks = vec![
        ("2.0", first),
        ("2.1", json!({ "uses": { link.clone(): both } })),
        ("2.2", json!({ "handles": {}, "reads": [], "uses": { link.clone(): "call" } })),
    ];
    let mut moves =
        vec![release(&shop, "2.1"), release(&desk, "2.1"), flag(&read, "call"), flag(&feed, "off"), Move::Retire { event: event.clone() }];
    moves.extend([drain(&topic, &label, DrainGoal::Consumed), release(&desk, "2.2"), release(&shop, "2.2")]);
    if random.once_in(2) {
        moves.push(Move::DeleteTopic { topic: topic.clone() });
    }
    Part {
        link: (link, state_link(&shop, &desk, &event, random)),
        event: (event, state_event(&topic, random)),
        services: [(shop, shops), (desk, desks)],
        flags: vec![(feed, "on"), (read, "copy")],
        moves,
    }
}

fn effect_link(shop: &str, desk: &str, event: &str, random: &mut Random) -> Value {
    let mut link = json!({ "effect": true, "from": shop, "to": desk, "http": "POST /act", "event": event });
    if !random.once_in(12) {
        link["key"] = json!(["event_id"]);
    }
    link
}

fn either(link: &str, way: &str) -> Value {
    json!({ link: [{ "by": "call", "when": format!("{way}=call") }, { "by": "event", "when": format!("{way}=event") }] })
}

fn effect_to_events(at: usize, random: &mut Random) -> Part {
    let (shop, desk, link, event, topic) = names(at);
    let way = format!("way{at}");
    let label = format!("{event}@0");
    let shops = vec![
        ("1.0", json!({ "sends": { link.clone(): "call" } })),
        ("1.1", json!({ "sends": either(&link, &way), "produces": [{ "event": label, "when": format!("{way}=event") }] })),
        ("1.2", json!({ "sends": { link.clone(): "event" }, "produces": [label] })),
    ];
    // Why: a handler that asks back needs the endpoint as long as its event may come.
    let handler = if random.once_in(6) { json!({ "calls": link }) } else { json!({}) };
    let desks = vec![
        ("1.0", json!({ "serves": [link] })),
        ("1.1", json!({ "handles": { label.clone(): handler } })),
        ("1.2", json!({ "serves": [] })),
    ];
    let mut moves = topic_and_schema(&topic, &label, false);
    moves.extend([release(&desk, "1.1"), release(&shop, "1.1"), flag(&way, "event"), release(&shop, "1.2")]);
    if !random.once_in(3) {
        moves.push(release(&desk, "1.2"));
    }
    Part {
        link: (link, effect_link(&shop, &desk, &event, random)),
        event: (event, json!({ "topic": topic, "key": "id" })),
        services: [(shop, shops), (desk, desks)],
        flags: vec![(way, "call")],
        moves,
    }
}

fn effect_to_calls(at: usize, random: &mut Random) -> Part {
    let (shop, desk, link, event, topic) = names(at);
    let way = format!("way{at}");
    let label = format!("{event}@0");
    let shops = vec![
        ("2.0", json!({ "sends": { link.clone(): "event" }, "produces": [label] })),
        ("2.1", json!({ "sends": either(&link, &way), "produces": [{ "event": label, "when": format!("{way}=event") }] })),
        ("2.2", json!({ "sends": { link.clone(): "call" }, "produces": [] })),
    ];
    let desks =
        vec![("2.0", json!({ "handles": { label.clone(): {} } })), ("2.1", json!({ "serves": [link] })), ("2.2", json!({ "handles": {} }))];
    let mut moves = vec![release(&desk, "2.1"), release(&shop, "2.1"), flag(&way, "call"), release(&shop, "2.2")];
    moves.extend([Move::Retire { event: event.clone() }, drain(&topic, &label, DrainGoal::Consumed), release(&desk, "2.2")]);
    if random.once_in(2) {
        moves.push(Move::DeleteTopic { topic: topic.clone() });
    }
    Part {
        link: (link, effect_link(&shop, &desk, &event, random)),
        event: (event, json!({ "topic": topic, "key": "id" })),
        services: [(shop, shops), (desk, desks)],
        flags: vec![(way, "event")],
        moves,
    }
}

fn new_version(at: usize, random: &mut Random) -> Part {
    let (shop, desk, link, event, topic) = names(at);
    let which = format!("which{at}");
    let (old, new) = (format!("{event}@0"), format!("{event}@1"));
    let compacted = random.once_in(2);
    let two = json!([{ "event": old, "when": format!("{which}=old") }, { "event": new, "when": format!("{which}=new") }]);
    let shops = vec![
        ("1.0", json!({ "produces": [old], "reads": ["thing.title"], "writes": { "thing": ["title"] } })),
        ("1.1", json!({ "writes": { "thing": ["title", "area"] }, "produces": two })),
        ("1.2", json!({ "produces": [new] })),
    ];
    let plain = json!({ "writes": ["thing.title"] });
    let desks = vec![
        ("1.0", json!({ "handles": { old.clone(): plain }, "reads": ["thing.title"], "uses": { link.clone(): "copy" } })),
        ("1.1", json!({ "handles": { old.clone(): plain, new.clone(): plain } })),
        ("1.2", json!({ "handles": { new.clone(): plain } })),
    ];
    let column = format!("{shop}.thing.area");
    let mut moves = vec![
        Move::RegisterSchema { event: new.clone(), topic: Some(topic.clone()), required: None },
        Move::AddColumn { column: column.clone() },
        release(&desk, "1.1"),
        release(&shop, "1.1"),
        Move::Backfill { columns: vec![column.clone()], back: Vec::new() },
        flag(&which, "new"),
        release(&shop, "1.2"),
        Move::Retire { event: old.clone() },
    ];
    if compacted {
        moves.push(Move::Snapshot { table: format!("{shop}.thing"), topic: topic.clone(), event: Some(new.clone()) });
        moves.push(drain(&topic, &old, DrainGoal::Absent));
    } else {
        moves.push(drain(&topic, &old, DrainGoal::Consumed));
    }
    moves.push(release(&desk, "1.2"));
    if random.once_in(2) {
        moves.push(Move::RequireColumn { column });
    }
    let mut event_of = json!({ "topic": topic, "key": "id", "compacted": compacted, "fields": { "0": ["title"] } });
    if random.once_in(2) {
        event_of["fields"]["1"] = json!(["title", "area"]);
    }
    Part {
        link: (link, state_link(&shop, &desk, &event, random)),
        event: (event, event_of),
        services: [(shop, shops), (desk, desks)],
        flags: vec![(which, "old")],
        moves,
    }
}

fn names(at: usize) -> (String, String, String, String, String) {
    (format!("shop{at}"), format!("desk{at}"), format!("link{at}"), format!("Changed{at}"), format!("topic{at}"))
}

/// Now and then a release declares one thing less.
fn slip(releases: &mut Releases, random: &mut Random) {
    if !random.once_in(8) {
        return;
    }
    let at = random.below(releases.len());
    let Some(body) = releases.get_mut(at).and_then(|(_, body)| body.as_object_mut()) else { return };
    let keys: Vec<String> = body.keys().cloned().collect();
    if let Some(key) = keys.get(random.below(keys.len())) {
        body.remove(key);
    }
}

/// Most plans have a step too few, one at another place, or one that goes elsewhere.
fn disorder(moves: &mut Vec<Move>, random: &mut Random) {
    if random.once_in(3) {
        return;
    }
    for _ in 0..=random.below(3) {
        if moves.len() < 2 {
            return;
        }
        let at = random.below(moves.len());
        match random.below(4) {
            0 => {
                moves.remove(at);
            }
            1 => moves.swap(at, at.saturating_sub(1)),
            2 => {
                let one = moves.remove(at);
                let to = random.below(moves.len() + 1);
                moves.insert(to, one);
            }
            _ => {
                if let Some(Move::Release { release, .. }) = moves.get_mut(at) {
                    let (major, _) = release.split_once('.').unwrap_or(("1", ""));
                    *release = format!("{major}.{}", random.below(3));
                }
            }
        }
    }
}
