//! The requests: where the values of placeholders come from, and which requests are drawn. Requests have an order of their own, drawn by a
//! hash, so that a part of them is a fair sample and a crash changes nothing, in whatever order rows come.

use std::collections::BTreeMap;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{CompareHttp, Query, Way, told};
use crate::ports::database::{Asked, Question};
use crate::step::scalar::Share;
use crate::step::{ActContext, StepError, World};

/// Most rows of a query among which is drawn.
const MOST_ROWS: u32 = 100_000;

/// How long the query may run.
const PATIENCE: Duration = Duration::from_secs(30);

/// The placeholder that stands for a whole path.
const PATH: &str = "path";

/// What must be written otherwise in a part of an address.
const IN_A_PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');

/// One request, as it goes each way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    /// Its place in the order; the same in every life of this step.
    pub(super) place: u64,
    pub(super) left: String,
    pub(super) right: String,
    /// What a person is told of it.
    pub(super) shown: Value,
}

type Values = BTreeMap<String, Value>;

/// The requests of this step, drawn and in their order.
pub(super) async fn requests(step: &CompareHttp, context: &ActContext) -> Result<Vec<Pair>, StepError> {
    let values = match &step.from {
        Some(from) => asked(from, &context.world).await?,
        None => written(step).map_err(StepError::Impossible)?,
    };
    let mut pairs = Vec::new();
    for one in &values {
        pairs.push(pair(step, &context.key, one).map_err(StepError::Impossible)?);
    }
    pairs.sort_by_key(|pair| pair.place);
    pairs.dedup_by_key(|pair| pair.place);
    let drawn = |pair: &Pair| (u128::from(pair.place) * u128::from(Share::ALL.parts())) >> 64 < u128::from(step.share.parts());
    pairs.retain(drawn);
    pairs.truncate(step.most as usize);
    Ok(pairs)
}

/// The values that the playbook itself brings; none when they come from a query.
pub(super) fn written(step: &CompareHttp) -> Result<Vec<Values>, String> {
    if !step.paths.is_empty() {
        return Ok(step.paths.iter().map(|path| Values::from([(PATH.to_owned(), Value::String(path.clone()))])).collect());
    }
    if let Some(file) = &step.file {
        let lines = file.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(at, line): (usize, &str)| {
            let object: Map<String, Value> =
                serde_json::from_str(line).map_err(|error| format!("{}, line {}: it is no JSON object: {error}", file.path, at + 1))?;
            let values: Values = object.into_iter().collect();
            filled(step, &values).map_err(|why| format!("{}, line {}: {why}", file.path, at + 1))?;
            Ok(values)
        };
        return lines.map(read).collect();
    }
    if step.each.is_empty() && step.from.is_none() {
        return Ok(vec![Values::new()]);
    }
    Ok(step.each.clone())
}

async fn asked(from: &Query, world: &World) -> Result<Vec<Values>, StepError> {
    let question = Question { query: from.query.clone(), binds: from.binds.clone(), most: MOST_ROWS, timeout: PATIENCE };
    match world.database(&from.database)?.ask(&question).await? {
        Asked::NotThere(what) => Err(StepError::Impossible(format!("the query of `from`: {what}"))),
        Asked::Rows { columns, rows } => Ok(rows.into_iter().map(|row| columns.iter().cloned().zip(row).collect()).collect()),
    }
}

fn pair(step: &CompareHttp, key: &str, values: &Values) -> Result<Pair, String> {
    let (left, right) = filled(step, values)?;
    let mut hasher = Sha256::new();
    for part in [key, "\n", &left, "\n", &right] {
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let place = digest.iter().take(8).fold(0_u64, |place, byte| (place << 8) | u64::from(*byte));
    let shown = told(values, &step.show, &format!("{place:016x}"));
    Ok(Pair { place, left, right, shown })
}

/// Both paths with values in place of names.
fn filled(step: &CompareHttp, values: &Values) -> Result<(String, String), String> {
    let fill = |way: &Way| match &way.path {
        Some(path) => template(path)?.into_iter().try_fold(String::new(), |text, part| part.text(values).map(|more| text + &more)),
        // Why as it is: it is a path already, with slashes of its own.
        None => Ok(values.get(PATH).and_then(Value::as_str).unwrap_or("/").to_owned()),
    };
    Ok((fill(&step.left)?, fill(&step.right)?))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Name(&'t str),
}

impl Part<'_> {
    fn text(&self, values: &Values) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok((*text).to_owned()),
            Self::Name(name) => match values.get(*name) {
                Some(Value::String(text)) => Ok(encoded(text)),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
                Some(_) => Err(format!("the value of {{{name}}} is no text, number or boolean")),
                None => Err(format!("there is no value for {{{name}}}")),
            },
        }
    }
}

/// A path in its parts.
fn template(path: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { return Err(format!("`{path}` has a `{{` without its `}}`")) };
        let fine = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !fine {
            return Err(format!("`{{{name}}}` in `{path}` is no name of a placeholder; letters, digits and `_` are allowed"));
        }
        parts.extend([Part::Text(before), Part::Name(name)]);
        rest = behind;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// A value as a part of an address: nothing in it ends a segment or begins a query.
fn encoded(text: &str) -> String {
    // Why: a part of dots alone means another place.
    if text.bytes().all(|byte| byte == b'.') { text.replace('.', "%2E") } else { utf8_percent_encode(text, IN_A_PART).to_string() }
}

/// What is wrong with where requests come from.
pub(super) fn complaints(step: &CompareHttp) -> Vec<(String, String)> {
    let mut complaints = Vec::new();
    let sources =
        [("paths", !step.paths.is_empty()), ("each", !step.each.is_empty()), ("from", step.from.is_some()), ("file", step.file.is_some())];
    let mut given = sources.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
    let source = given.next();
    if let (Some(first), Some(second)) = (source, given.next()) {
        complaints.push((format!("/{second}"), format!("requests come from one place: take `{first}` or `{second}` away")));
    }
    let fine = |path: &str| path.starts_with('/') && !path.starts_with("//") && !path.contains(char::is_whitespace);
    let wrong = step.paths.iter().enumerate().filter(|(_, path)| !fine(path));
    complaints.extend(wrong.map(|(at, path)| (format!("/paths/{at}"), format!("`{path}` is not a path; it begins with one slash"))));
    let mut names = Vec::new();
    for (side, way) in [("left", &step.left), ("right", &step.right)] {
        match (&way.path, source) {
            (Some(_), Some("paths")) => {
                complaints.push((format!("/{side}/path"), "`paths` has the paths of both ways; take this one away".to_owned()));
            }
            (None, Some("paths")) => {}
            (None, _) => complaints.push((format!("/{side}"), "it needs a `path`, or `paths` for both ways".to_owned())),
            (Some(path), _) => match template(path) {
                Ok(parts) => names.extend(parts.into_iter().filter_map(|part| match part {
                    Part::Name(name) => Some((side, name)),
                    Part::Text(_) => None,
                })),
                Err(why) => complaints.push((format!("/{side}/path"), why)),
            },
        }
    }
    match (source, names.first()) {
        (None, Some((side, name))) => {
            let why = format!("nothing gives values for {{{name}}}; add `each`, `from` or `file`");
            complaints.push((format!("/{side}/path"), why));
        }
        (Some(source @ ("each" | "from" | "file")), None) if complaints.is_empty() => {
            complaints.push((format!("/{source}"), "it gives values, and no path has a placeholder such as `{id}`".to_owned()));
        }
        _ => {}
    }
    for (at, values) in step.each.iter().enumerate() {
        if complaints.is_empty()
            && let Err(why) = filled(step, values)
        {
            complaints.push((format!("/each/{at}"), why));
        }
    }
    let strange = step.show.iter().enumerate().filter(|(_, shown)| !names.iter().any(|(_, name)| name == shown));
    complaints.extend(strange.map(|(at, shown)| (format!("/show/{at}"), format!("no path has a placeholder `{{{shown}}}`"))));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_leaves_its_segment() {
        for (value, expected) in [
            ("plain-1_~", "plain-1_~"),
            ("a/b?c=d&e#f", "a%2Fb%3Fc%3Dd%26e%23f"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("v1.5", "v1.5"),
            ("%2F", "%252F"),
            ("ü", "%C3%BC"),
            ("", ""),
        ] {
            assert_eq!(encoded(value), expected);
        }
    }

    #[test]
    fn a_path_is_cut_at_its_names() {
        let parts = [Part::Text("/a/"), Part::Name("id"), Part::Text("?x="), Part::Name("x_1"), Part::Text("")];
        assert_eq!(template("/a/{id}?x={x_1}").unwrap(), parts);
        for wrong in ["/{", "/{}", "/{a b}", "/{a{b}}"] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
    }
}
