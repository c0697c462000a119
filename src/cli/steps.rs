//! `cutover steps`.

use std::fmt::Write as _;
use std::io::Write;

use clap::{Args, Subcommand};
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::Output;
use super::exit::{self, CliError};
use crate::step::scalar::worded;
use crate::step::{Kind, Nature, Risk};
use crate::steps;

/// Show the step kinds that playbooks can use
#[derive(Clone, Debug, Args)]
pub struct StepsArgs {
    /// What to show
    #[command(subcommand)]
    pub command: StepsCommand,
}

/// What to show.
#[derive(Clone, Debug, Subcommand)]
pub enum StepsCommand {
    /// List the kinds, one line each
    List,
    /// Explain one kind: its keys, its risk and an example
    Explain {
        /// Name of the kind
        #[arg(value_name = "KIND")]
        kind: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When there is no such kind.
pub fn run(args: &StepsArgs, out: &mut dyn Write, _: &mut dyn Write, output: Output) -> Result<u8, CliError> {
    match &args.command {
        StepsCommand::List => list(out, output),
        StepsCommand::Explain { kind } => explain(kind, out, output),
    }
}

fn list(out: &mut dyn Write, output: Output) -> Result<u8, CliError> {
    if output == Output::Json {
        writeln!(out, "{:#}", json!({ "schema": "cutover.steps/1", "steps": steps::KINDS }))?;
        return Ok(exit::OK);
    }
    let width = steps::KINDS.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    for kind in steps::KINDS {
        writeln!(out, "{:width$}  {}", kind.name, kind.summary)?;
    }
    Ok(exit::OK)
}

fn explain(name: &str, out: &mut dyn Write, output: Output) -> Result<u8, CliError> {
    let mut generator = SchemaGenerator::default();
    let (Some(kind), Some(schema)) = (steps::find(name), steps::schema(name, &mut generator)) else {
        let error = CliError::new(exit::USAGE, format!("there is no step kind `{name}`"));
        let near = crate::playbook::nearest(name, steps::KINDS.iter().map(|kind| kind.name));
        return Err(
            error.hint(near.map_or_else(|| "cutover steps list shows the kinds".to_owned(), |near| format!("did you mean `{near}`?")))
        );
    };
    let mut schema = schema.to_value();
    let definitions = Value::Object(generator.take_definitions(true));
    if output == Output::Json {
        if let Some(object) = schema.as_object_mut() {
            object.insert("$defs".to_owned(), definitions);
        }
        writeln!(out, "{:#}", json!({ "schema": "cutover.step/1", "step": kind, "body": schema }))?;
        return Ok(exit::OK);
    }
    write!(out, "{}", page(kind, &schema, &definitions))?;
    Ok(exit::OK)
}

fn page(kind: &Kind, schema: &Value, definitions: &Value) -> String {
    let mut text = format!("{}: {}\n", kind.name, kind.summary);
    if let Some(about) = schema.get("description").and_then(Value::as_str) {
        let _ = writeln!(text, "\n{about}");
    }
    let risk = match kind.risk {
        Risk::Safe => "changes nothing that anybody could miss",
        Risk::Reversible => "changes something and can take it back",
        Risk::PointOfNoReturn => "destroys something for good",
    };
    let nature = match kind.nature {
        Nature::State => "makes something so; a second time it finds it done",
        Nature::Once => "happens anew in every run",
    };
    let _ = writeln!(text, "\nRisk:    {risk}\nNature:  {nature}\n\nKeys:");
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let need = match field.get("default") {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            Some(default) if !default.is_null() => format!("default {default}"),
            _ => "optional".to_owned(),
        };
        let _ = writeln!(text, "  {name}  ({}, {need})", of(field, definitions));
        for line in field.get("description").and_then(Value::as_str).unwrap_or_default().lines() {
            let _ = writeln!(text, "      {line}");
        }
    }
    text.push_str("\nExample:\n");
    for line in kind.example.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// The type of a field in a few words.
fn of(field: &Value, definitions: &Value) -> String {
    if let Some(name) = field.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/")) {
        return definitions.get(name).map_or_else(|| name.to_owned(), |definition| of(definition, definitions));
    }
    if let Some(constant) = field.get("const") {
        return worded(constant);
    }
    if let Some(options) = field.get("enum").and_then(Value::as_array) {
        return options.iter().filter(|option| !option.is_null()).map(worded).collect::<Vec<_>>().join(" | ");
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(forms) = field.get(key).and_then(Value::as_array) {
            let forms = forms.iter().filter(|form| form.get("type").and_then(Value::as_str) != Some("null"));
            return forms.map(|form| of(form, definitions)).collect::<Vec<_>>().join(" | ");
        }
    }
    let name = match field.get("type") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("any"),
        Some(Value::String(name)) => name.as_str(),
        _ => "any",
    };
    match (name, field.get("format").and_then(Value::as_str)) {
        ("string", Some("span")) => "length of time".to_owned(),
        ("string", Some("file")) => "file".to_owned(),
        ("string", _) => "text".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        ("boolean", _) => "true | false".to_owned(),
        ("array", _) => format!("list of {}", field.get("items").map_or_else(|| "any".to_owned(), |items| of(items, definitions))),
        ("object", _) => "map".to_owned(),
        (other, _) => other.to_owned(),
    }
}
