//! `cutover doctor --rights`: the least rights that a playbook needs, what of them is missing, and how to grant them.

use std::collections::BTreeMap;

use serde_json::json;

use super::client::Client;
use super::exit::{self, CliError};
use super::load::{self, PlaybookArgs};
use super::session::Session;
use crate::playbook::environment::Environment;
use crate::ports::access::Leave;
use crate::ports::settings::KafkaSecurity;
use crate::report::Tone;
use crate::report::words::counted;
use crate::step::{SystemKind, quote, variable};
use crate::web::documents::{RightLine, RightsDocument, SystemRights};

/// Who is granted something when the settings do not say who we are.
const NOBODY: &str = "$PRINCIPAL";

/// Asks the server and tells.
///
/// # Errors
/// When the playbook or the configuration cannot be read, or the server does not answer.
pub async fn run(session: &Session, playbook: &PlaybookArgs, principal: Option<&str>) -> Result<u8, CliError> {
    let bundle = load::bundle(session, playbook)?;
    let client = Client::connect(session).await?;
    let found: RightsDocument = client.post("/api/rights", &bundle).await?;
    let count =
        |wanted: fn(&Leave) -> bool| found.systems.iter().flat_map(|system| &system.rights).filter(|right| wanted(&right.state)).count();
    let (missing, unknown) = (count(|state| *state == Leave::Missing), count(|state| matches!(state, Leave::Unknown(_))));
    let trouble = found.systems.iter().any(|system| system.trouble.is_some());
    if session.is_json() {
        let systems: Vec<_> = found.systems.iter().map(|system| document(system, &bundle.environment, principal)).collect();
        let ok = missing == 0 && !trouble;
        session.json(&json!({ "schema": "cutover.rights/1", "ok": ok, "missing": missing, "unknown": unknown, "systems": systems }))?;
    } else {
        for system in &found.systems {
            print(session, system, &bundle.environment, principal)?;
        }
        let all: usize = found.systems.iter().map(|system| system.rights.len()).sum();
        let line = format!("{}, {missing} missing, {unknown} that nobody tells", counted(all, "right", "rights"));
        session.print(if missing == 0 { Tone::Good } else { Tone::Bad }, line)?;
    }
    Ok(match (missing, trouble) {
        (1.., _) => exit::REFUSED,
        (0, true) => exit::UNREACHABLE,
        (0, false) => exit::OK,
    })
}

fn print(session: &Session, system: &SystemRights, environment: &Environment, principal: Option<&str>) -> Result<(), CliError> {
    let whom = who(system, environment, principal);
    session.print(Tone::Plain, format!("{} {}, as {whom}", system.kind, system.name))?;
    if let Some(trouble) = &system.trouble {
        session.print(Tone::Bad, format!("  ✖ {trouble}"))?;
    }
    let thing = |right: &RightLine| format!("{} {}", right.sort, right.id);
    let width = system.rights.iter().map(|right| thing(right).chars().count()).max().unwrap_or_default();
    for right in &system.rights {
        let (shape, tone, state) = match &right.state {
            Leave::Given => ("✔", Tone::Good, "given".to_owned()),
            Leave::Missing => ("✖", Tone::Bad, "MISSING".to_owned()),
            Leave::Unknown(why) => ("?", Tone::Dim, format!("not known: {why}")),
        };
        let back = if right.way_back { ", to take it back" } else { "" };
        let steps = right.steps.join(", ");
        session.print(tone, format!("  {shape} {:<width$}  {:<15}  {state}  ({steps}{back})", thing(right), right.operation.as_str()))?;
    }
    let commands = commands(system, environment, &whom);
    if !commands.is_empty() {
        session.print(Tone::Dim, "  to grant all of it:")?;
        for command in commands {
            session.print(Tone::Plain, format!("  {command}"))?;
        }
    }
    Ok(())
}

fn document(system: &SystemRights, environment: &Environment, principal: Option<&str>) -> serde_json::Value {
    let whom = who(system, environment, principal);
    json!({
        "kind": system.kind,
        "name": system.name,
        "principal": whom,
        "trouble": system.trouble,
        "rights": system.rights,
        "commands": commands(system, environment, &whom),
    })
}

/// Who we are on a system, as the system itself calls us; a variable where only the system knows.
fn who(system: &SystemRights, environment: &Environment, principal: Option<&str>) -> String {
    match system.kind {
        SystemKind::Kafka => {
            if let Some(principal) = principal {
                return if principal.contains(':') { principal.to_owned() } else { format!("User:{principal}") };
            }
            let Some(settings) = environment.kafka.get(&system.name).map(|found| &found.settings) else { return NOBODY.to_owned() };
            let sasl = settings.sasl.as_ref();
            let name = sasl.and_then(|sasl| sasl.username.clone().or_else(|| sasl.token.as_ref().map(|token| token.client.clone())));
            match (name, settings.security) {
                (Some(name), _) => format!("User:{name}"),
                (None, KafkaSecurity::Plaintext) => "User:ANONYMOUS".to_owned(),
                // Why: the broker makes the name of a certificate by rules of its own.
                (None, _) => NOBODY.to_owned(),
            }
        }
        SystemKind::Database => {
            let url = environment.database.get(&system.name).and_then(|found| reqwest::Url::parse(&found.settings.url).ok());
            url.map(|url| url.username().to_owned()).filter(|user| !user.is_empty()).unwrap_or_else(|| NOBODY.to_owned())
        }
        SystemKind::Registry => {
            let basic = environment.registry.get(&system.name).and_then(|found| found.settings.basic.as_ref());
            basic.map_or_else(|| "nobody in particular".to_owned(), |basic| basic.username.clone())
        }
        _ => NOBODY.to_owned(),
    }
}

/// The commands that grant all rights on a system, for whoever administers it.
fn commands(system: &SystemRights, environment: &Environment, whom: &str) -> Vec<String> {
    match system.kind {
        SystemKind::Kafka => acls(system, whom),
        SystemKind::Database => grants(system, environment, whom),
        _ => Vec::new(),
    }
}

fn acls(system: &SystemRights, whom: &str) -> Vec<String> {
    let mut things: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for right in &system.rights {
        things.entry((&right.sort, &right.id)).or_default().push(right.operation.as_str());
    }
    let server = variable(SystemKind::Kafka, &system.name);
    let whom = if whom == NOBODY { format!("\"{NOBODY}\"") } else { quote(whom) };
    let one = |((sort, id), operations): (&(&str, &str), &Vec<&str>)| {
        let operations = operations.iter().fold(String::new(), |all, operation| all + " --operation " + operation);
        format!("kafka-acls.sh --bootstrap-server \"${server}\" --add --allow-principal {whom}{operations} --{sort} {}", quote(id))
    };
    things.iter().map(one).collect()
}

fn grants(system: &SystemRights, environment: &Environment, whom: &str) -> Vec<String> {
    let url = environment.database.get(&system.name).and_then(|found| reqwest::Url::parse(&found.settings.url).ok());
    let database = url.map(|url| url.path().trim_start_matches('/').to_owned()).filter(|name| !name.is_empty());
    let database = database.unwrap_or_else(|| system.name.clone());
    let name = |text: &str| text.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect::<Vec<_>>().join(".");
    let one = |right: &RightLine| {
        let thing = match right.sort.as_str() {
            "database" => format!("database \"{}\"", database.replace('"', "\"\"")),
            "schema" => format!("schema {}", name(&right.id)),
            _ if right.id.contains('.') => format!("table {}", name(&right.id)),
            _ => format!("table \"public\".{}", name(&right.id)),
        };
        format!("grant {} on {thing} to {};", right.operation.as_str().to_lowercase(), name(whom))
    };
    system.rights.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Operation;

    fn right(sort: &str, id: &str, operation: Operation) -> RightLine {
        let (sort, id) = (sort.to_owned(), id.to_owned());
        RightLine { sort, id, operation, state: Leave::Given, steps: vec!["s".to_owned()], way_back: false }
    }

    fn system(kind: SystemKind, rights: Vec<RightLine>) -> SystemRights {
        SystemRights { kind, name: "eu-west".to_owned(), trouble: None, rights }
    }

    #[test]
    fn one_command_grants_all_operations_on_a_thing() {
        let rights = vec![
            right("topic", "a b", Operation::Read),
            right("topic", "a b", Operation::Create),
            right("group", "*", Operation::Describe),
        ];
        let told = acls(&system(SystemKind::Kafka, rights), "User:limited");
        assert_eq!(
            told,
            [
                "kafka-acls.sh --bootstrap-server \"$KAFKA_EU_WEST\" --add --allow-principal User:limited --operation Describe --group '*'",
                "kafka-acls.sh --bootstrap-server \"$KAFKA_EU_WEST\" --add --allow-principal User:limited --operation Read --operation Create --topic 'a b'",
            ]
        );
    }

    #[test]
    fn names_stay_within_their_quotes() {
        let rights = vec![right("schema", "sales", Operation::Usage), right("table", "sales.or\"der", Operation::Select)];
        let told = grants(&system(SystemKind::Database, rights), &Environment::default(), "limited");
        assert_eq!(
            told,
            ["grant usage on schema \"sales\" to \"limited\";", "grant select on table \"sales\".\"or\"\"der\" to \"limited\";"]
        );
    }
}
