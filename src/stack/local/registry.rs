//! The schema registry: Apicurio with its Confluent API, its store in a file.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::java;
use super::part::Part;
use super::record::{Book, RegistryRecord};
use crate::stack::DataDir;
use crate::stack::error::StackError;
use crate::stack::fetch::REGISTRY;
use crate::stack::files;
use crate::stack::process::{Identity, Program};
use crate::stack::progress::Teller;

const PART: &str = "registry";
const START: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);
const JAR: &str = "apicurio-registry-app-2.6.13.Final-runner.jar";
const JVM: &[&str] = &["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true"];
const MEDIA: &str = "application/vnd.schemaregistry.v1+json";

pub(super) async fn up(data: &DataDir, book: &Book, teller: &Teller) -> Result<(), StackError> {
    let directory = data.stack().join("registry");
    let log = directory.join("registry.log");
    let since = Instant::now();
    let mut found = book.get(|record| record.registry.process.clone()).filter(Identity::is_alive);
    let record = book.get(|record| record.registry.clone());
    let part = Part { name: PART, address: &record.url, directory: &directory, log: &log, since, start: START, poll: POLL };
    let (process, mut last) = part.rise(&mut found, || launch(&directory, &log, book, teller), || answers(&record)).await?;
    if last.is_ok() && !record.level_set {
        last = set_level(&record.url).await;
        if last.is_ok() {
            book.change(|record| record.registry.level_set = true)?;
        }
    }
    part.tell(teller, &process, found.is_some(), last)
}

/// Whether the registry answers; why not otherwise.
pub(super) async fn answers(record: &RegistryRecord) -> Result<(), String> {
    if record.port == 0 {
        return Err("it was never started".to_owned());
    }
    let request = client()?.get(format!("{}/subjects", record.url));
    accepted(request).await
}

async fn launch(directory: &Path, log: &Path, book: &Book, teller: &Teller) -> Result<Identity, StackError> {
    let java = java::find().await?;
    let home = REGISTRY.obtain(teller).await?;
    let port = book.get(|record| record.registry.port);
    let store = directory.join("store");
    files::create_private_dir(&store)?;
    files::create_private_dir(&directory.join("tmp"))?;
    let settings = [
        format!("-Djava.io.tmpdir={}", directory.join("tmp").display()),
        "-Dquarkus.http.host=127.0.0.1".to_owned(),
        format!("-Dquarkus.http.port={port}"),
        "-Dregistry.ccompat.legacy-id-mode.enabled=false".to_owned(),
        "-Dregistry.ccompat.use-canonical-hash=true".to_owned(),
        // Why: by default H2 writes half a second behind, and a registry that was killed would forget what it had answered.
        format!("-Dquarkus.datasource.jdbc.url=jdbc:h2:file:{};WRITE_DELAY=0", store.join("registry").display()),
    ];
    let program = Program::new(java, log).args(JVM).args(settings).arg("-jar").arg(home.join(JAR)).directory(directory);
    let process = program.start()?;
    book.change(|record| {
        record.registry.process = Some(process.clone());
        log.clone_into(&mut record.registry.log);
        REGISTRY.version.clone_into(&mut record.registry.version);
    })?;
    Ok(process)
}

/// Gives a new store the level that Confluent's registry begins with; Apicurio's own is to check nothing. Done once, so that a
/// level that the user chose later stays.
async fn set_level(url: &str) -> Result<(), String> {
    let request = client()?.put(format!("{url}/config")).header("content-type", MEDIA).body(r#"{"compatibility":"BACKWARD"}"#);
    accepted(request).await
}

async fn accepted(request: reqwest::RequestBuilder) -> Result<(), String> {
    let response = request.send().await.map_err(|error| {
        // Why: the client's own sentence names only the address; what went wrong is in its last cause.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        cause.to_string()
    })?;
    if response.status().is_success() { Ok(()) } else { Err(format!("it answered {}", response.status())) }
}

fn client() -> Result<reqwest::Client, String> {
    // Why: the client asks for a TLS provider even where no TLS is; that one is installed already is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build();
    client.map_err(|error| error.to_string())
}
