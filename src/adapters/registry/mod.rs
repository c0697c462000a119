//! A schema registry through Confluent's HTTP API, as Confluent, Apicurio and Karapace speak it. The registry owns schemas, ids and
//! levels; nothing is kept here but the one thing about it that never changes: whether it can hold the level NONE for a subject.

mod answer;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::answer::Said;
use super::http::Endpoint;
use crate::adapters::secret::Secrets;
use crate::ports::PortError;
use crate::ports::registry::{Compatibility, CompatibilityAnswer, NewSchema, Registry, SchemaFormat, SchemaPlace, SchemaVersion};
use crate::ports::settings::ApiSettings;
use crate::step::StepError;

/// The registry's own media type, and plain JSON for those that do not know it.
const ACCEPT: &str = "application/vnd.schemaregistry.v1+json, application/json;q=0.9";
const CONTENT: &str = "application/vnd.schemaregistry.v1+json";

/// A registry at one address.
pub struct ConfluentRegistry {
    endpoint: Endpoint,
    holds_none: OnceCell<bool>,
}

impl ConfluentRegistry {
    /// Prepares for the registry `name` of an environment; `setting` is where its address was set. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StepError::NoSecret`] when a secret is missing, [`PortError::Invalid`] when the settings cannot be used.
    pub fn connect(name: &str, settings: &ApiSettings, setting: &str, secrets: &dyn Secrets) -> Result<Arc<Self>, StepError> {
        let (basic, tls) = (settings.basic.as_ref(), settings.tls.as_ref());
        let endpoint = Endpoint::new(&format!("registry {name}"), &settings.url, setting, basic, tls, secrets)?;
        Ok(Arc::new(Self { endpoint, holds_none: OnceCell::new() }))
    }

    async fn ask(&self, method: Method, path: &[&str], query: &[(&str, &str)], body: Option<Value>) -> Result<Said, PortError> {
        let mut url: Url = self.endpoint.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let content = body.map(|body| (CONTENT, body.to_string()));
        let answer = self.endpoint.send(method, url, content, ACCEPT).await?;
        Ok(Said::read(answer))
    }

    fn invalid(&self, detail: impl Into<String>) -> PortError {
        PortError::Invalid { system: self.endpoint.system().clone(), detail: detail.into() }
    }

    /// The value of an answer, or nothing when the thing that was asked for is not there.
    fn value_or_none(&self, doing: &str, said: Said) -> Result<Option<Value>, PortError> {
        match said {
            Said::Yes(value) => Ok(Some(value)),
            Said::No(no) if no.is_absent() => Ok(None),
            Said::No(no) => Err(no.port_error(self.endpoint.system(), doing)),
        }
    }

    fn value(&self, doing: &str, said: Said) -> Result<Value, PortError> {
        match said {
            Said::Yes(value) => Ok(value),
            Said::No(no) => Err(no.port_error(self.endpoint.system(), doing)),
        }
    }

    fn level_in(&self, doing: &str, value: &Value) -> Result<Compatibility, PortError> {
        let word = value.get("compatibilityLevel").or_else(|| value.get("compatibility")).and_then(Value::as_str).unwrap_or_default();
        word.parse().map_err(|error| self.invalid(format!("{doing}: {error}")))
    }

    /// Whether the level NONE of a subject differs from having no level of its own. Apicurio takes NONE as "no level of its own",
    /// so the registry's default stays in force; what gives it away is that it refuses to speak of modes.
    async fn holds_none(&self) -> Result<bool, PortError> {
        let found = self.holds_none.get_or_try_init(|| async {
            let said = self.ask(Method::GET, &["mode"], &[], None).await?;
            Ok::<_, PortError>(!matches!(said, Said::No(no) if no.status == 404 && no.code == Some(0)))
        });
        found.await.copied()
    }

    /// The body that hands a schema over. What is no JSON is refused here: some registries answer that with a failure of their own.
    fn body(&self, schema: &NewSchema) -> Result<Value, PortError> {
        match schema.format {
            SchemaFormat::Json | SchemaFormat::Avro => {
                if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&schema.text) {
                    return Err(self.invalid(format!("the schema is not JSON: {error}")));
                }
            }
            SchemaFormat::Protobuf => {}
        }
        let mut body = match schema.format {
            // Why: registries from before there were formats know nothing else and do not take the field.
            SchemaFormat::Avro => json!({ "schema": schema.text }),
            format => json!({ "schemaType": format.to_string(), "schema": schema.text }),
        };
        if let (false, Some(body)) = (schema.references.is_empty(), body.as_object_mut()) {
            body.insert("references".to_owned(), json!(schema.references));
        }
        Ok(body)
    }

    fn version_in(&self, doing: &str, value: &Value, asked: Option<SchemaFormat>) -> Result<SchemaVersion, PortError> {
        let format = match value.get("schemaType") {
            None | Some(Value::Null) => asked.unwrap_or(SchemaFormat::Avro),
            Some(word) => serde_json::from_value(word.clone()).map_err(|_| self.invalid(format!("{doing}: unknown schema type {word}")))?,
        };
        let text = value.get("schema").and_then(Value::as_str);
        let text = text.ok_or_else(|| self.invalid(format!("{doing}: the answer holds no schema")))?;
        Ok(SchemaVersion {
            id: value.get("id").and_then(Value::as_i64),
            version: value.get("version").and_then(Value::as_i64),
            format,
            text: text.to_owned(),
        })
    }
}

#[async_trait]
impl Registry for ConfluentRegistry {
    async fn ping(&self) -> Result<(), PortError> {
        let doing = "asking whether it answers";
        match self.ask(Method::GET, &["schemas", "types"], &[], None).await? {
            // Why: registries from before there were formats do not have this page.
            Said::No(no) if no.status == 404 => self.value(doing, self.ask(Method::GET, &["subjects"], &[], None).await?).map(drop),
            said => self.value(doing, said).map(drop),
        }
    }

    async fn subjects(&self) -> Result<Vec<String>, PortError> {
        let doing = "listing subjects";
        let value = self.value(doing, self.ask(Method::GET, &["subjects"], &[], None).await?)?;
        let mut names: Vec<String> =
            serde_json::from_value(value).map_err(|error| self.invalid(format!("{doing}: the answer is no list of names: {error}")))?;
        names.sort();
        Ok(names)
    }

    async fn latest(&self, subject: &str) -> Result<Option<SchemaVersion>, PortError> {
        let doing = format!("looking at subject `{subject}`");
        let said = self.ask(Method::GET, &["subjects", subject, "versions", "latest"], &[], None).await?;
        self.value_or_none(&doing, said)?.map(|value| self.version_in(&doing, &value, None)).transpose()
    }

    async fn lookup(&self, subject: &str, schema: &NewSchema) -> Result<Option<SchemaVersion>, PortError> {
        let doing = format!("looking for the schema in subject `{subject}`");
        let said = self.ask(Method::POST, &["subjects", subject], &[], Some(self.body(schema)?)).await?;
        self.value_or_none(&doing, said)?.map(|value| self.version_in(&doing, &value, Some(schema.format))).transpose()
    }

    async fn check(&self, subject: &str, schema: &NewSchema) -> Result<CompatibilityAnswer, PortError> {
        let doing = format!("checking the schema against subject `{subject}`");
        let (body, query) = (self.body(schema)?, [("verbose", "true")]);
        let mut said = self.ask(Method::POST, &["compatibility", "subjects", subject, "versions"], &query, Some(body.clone())).await?;
        if matches!(&said, Said::No(no) if matches!(no.status, 404 | 405) && !no.is_absent()) {
            // Why: older registries check against one version only.
            said = self.ask(Method::POST, &["compatibility", "subjects", subject, "versions", "latest"], &query, Some(body)).await?;
        }
        let Some(value) = self.value_or_none(&doing, said)? else {
            return Ok(CompatibilityAnswer { compatible: true, reasons: Vec::new() });
        };
        let compatible = value.get("is_compatible").and_then(Value::as_bool);
        let compatible = compatible.ok_or_else(|| self.invalid(format!("{doing}: the answer does not say")))?;
        Ok(CompatibilityAnswer { compatible, reasons: if compatible { Vec::new() } else { answer::reasons(&value) } })
    }

    async fn register(&self, subject: &str, schema: &NewSchema) -> Result<SchemaVersion, PortError> {
        let doing = format!("registering a schema under `{subject}`");
        let said = self.ask(Method::POST, &["subjects", subject, "versions"], &[], Some(self.body(schema)?)).await?;
        self.value(&doing, said)?;
        // Why: the answer holds the id alone; the version is what people and reverts name.
        self.lookup(subject, schema).await?.ok_or_else(|| PortError::Conflict {
            system: self.endpoint.system().clone(),
            detail: format!("{doing}: it was deleted again at once"),
        })
    }

    async fn level(&self, subject: &str) -> Result<Option<Compatibility>, PortError> {
        let doing = format!("asking for the level of subject `{subject}`");
        let said = self.ask(Method::GET, &["config", subject], &[("defaultToGlobal", "false")], None).await?;
        let Some(value) = self.value_or_none(&doing, said)? else { return Ok(None) };
        match self.level_in(&doing, &value)? {
            Compatibility::None if !self.holds_none().await? => Ok(None),
            level => Ok(Some(level)),
        }
    }

    async fn default_level(&self) -> Result<Compatibility, PortError> {
        let doing = "asking for the default level";
        let value = self.value(doing, self.ask(Method::GET, &["config"], &[], None).await?)?;
        self.level_in(doing, &value)
    }

    async fn set_level(&self, subject: &str, level: Option<Compatibility>) -> Result<(), PortError> {
        let mut level = level;
        if level == Some(Compatibility::None) && !self.holds_none().await? {
            let default = self.default_level().await?;
            if default != Compatibility::None {
                return Err(self.invalid(format!(
                    "setting the level of subject `{subject}` to NONE: this registry cannot hold that for one subject, its default \
                     {default} would stay in force; delete the version that stands in the way, or set the registry's default to NONE"
                )));
            }
            level = None;
        }
        let Some(level) = level else {
            let doing = format!("removing the level of subject `{subject}`");
            let said = self.ask(Method::DELETE, &["config", subject], &[], None).await?;
            return self.value_or_none(&doing, said).map(drop);
        };
        let doing = format!("setting the level of subject `{subject}` to {level}");
        let body = json!({ "compatibility": level.as_str() });
        let said = self.ask(Method::PUT, &["config", subject], &[], Some(body)).await?;
        self.value(&doing, said).map(drop)
    }

    async fn places_of_id(&self, id: u32) -> Result<Vec<SchemaPlace>, PortError> {
        let doing = format!("asking where schema {id} lies");
        let said = self.ask(Method::GET, &["schemas", "ids", &id.to_string(), "versions"], &[("deleted", "true")], None).await?;
        let Some(value) = self.value_or_none(&doing, said)? else { return Ok(Vec::new()) };
        let mut places: Vec<SchemaPlace> = serde_json::from_value(value)
            .map_err(|error| self.invalid(format!("{doing}: the answer is no list of subjects and versions: {error}")))?;
        places.sort();
        Ok(places)
    }

    async fn places_of_guid(&self, guid: &str) -> Result<Vec<SchemaPlace>, PortError> {
        let doing = format!("asking for the ids of schema {guid}");
        let said = self.ask(Method::GET, &["schemas", "guids", guid, "ids"], &[], None).await?;
        let Some(value) = self.value_or_none(&doing, said)? else { return Ok(Vec::new()) };
        let ids = value.as_array().into_iter().flatten();
        let ids: Vec<u32> = ids.filter_map(|one| one.get("id")?.as_u64()?.try_into().ok()).collect();
        let mut places = Vec::new();
        for id in ids {
            places.extend(self.places_of_id(id).await?);
        }
        places.sort();
        places.dedup();
        Ok(places)
    }

    async fn version(&self, subject: &str, version: i64) -> Result<Option<SchemaVersion>, PortError> {
        let doing = format!("looking at version {version} of subject `{subject}`");
        let said = self.ask(Method::GET, &["subjects", subject, "versions", &version.to_string()], &[("deleted", "true")], None).await?;
        self.value_or_none(&doing, said)?.map(|value| self.version_in(&doing, &value, None)).transpose()
    }

    async fn erase_version(&self, subject: &str, version: i64) -> Result<(), PortError> {
        // Why: a registry deletes for good only what is deleted softly.
        self.delete_version(subject, version).await?;
        let doing = format!("deleting version {version} of subject `{subject}` for good");
        let path = ["subjects", subject, "versions", &version.to_string()];
        let said = self.ask(Method::DELETE, &path, &[("permanent", "true")], None).await?;
        self.value_or_none(&doing, said).map(drop)
    }

    async fn delete_version(&self, subject: &str, version: i64) -> Result<(), PortError> {
        let doing = format!("deleting version {version} of subject `{subject}`");
        let said = self.ask(Method::DELETE, &["subjects", subject, "versions", &version.to_string()], &[], None).await?;
        match said {
            Said::No(no) if no.is_deleted_before() => Ok(()),
            said => self.value_or_none(&doing, said).map(drop),
        }
    }
}
