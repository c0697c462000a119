//! The store of metrics: Prometheus, which scrapes the instances that the supervisor names. It is not needed for anything else, so a
//! machine without it has a stack all the same.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::part::Part;
use super::record::{Book, PrometheusRecord};
use crate::stack::error::StackError;
use crate::stack::files;
use crate::stack::process::{Identity, Program};
use crate::stack::progress::Teller;
use crate::stack::{DataDir, supervisor};

const PART: &str = "prometheus";
const START: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(30);
const PATIENCE: Duration = Duration::from_secs(5);

/// The program, when it is installed.
pub(super) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join("prometheus")).find(|program| program.is_file())
}

pub(super) async fn up(data: &DataDir, book: &Book, teller: &Teller) -> Result<(), StackError> {
    let directory = data.stack().join("prometheus");
    let log = directory.join("prometheus.log");
    let since = Instant::now();
    let found = book.get(|record| record.prometheus.process.clone()).filter(Identity::is_alive);
    let process = if let Some(process) = &found {
        process.clone()
    } else {
        let Some(program) = program() else {
            let lacks = "is not installed; only playbooks that look at metrics need it (`apt-get install prometheus`)";
            teller.tell("Skipping", format!("prometheus, which {lacks}"));
            return Ok(());
        };
        launch(data, program, book).await?
    };
    let record = book.get(|record| record.prometheus.clone());
    let part = Part { name: PART, address: &record.url, directory: &directory, log: &log, since, start: START, poll: POLL };
    let last = part.wait(&process, || answers(&record)).await;
    part.tell(teller, &process, found.is_some(), last)
}

async fn launch(data: &DataDir, program: PathBuf, book: &Book) -> Result<Identity, StackError> {
    let directory = data.stack().join("prometheus");
    files::create_private_dir(&directory)?;
    let (config, log) = (directory.join("prometheus.json"), directory.join("prometheus.log"));
    // Why: JSON is YAML too, and it needs no escaping of paths by hand.
    let content = serde_json::json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
        "scrape_configs": [{
            "job_name": "services",
            "file_sd_configs": [{ "files": [supervisor::targets_file(data)], "refresh_interval": "1s" }],
        }],
    });
    files::write_json(&config, &content)?;
    let port = book.get(|record| record.prometheus.port);
    let version = version(&program).await;
    let started = Program::new(program, &log)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(["--storage.tsdb.retention.time=15d", "--storage.tsdb.retention.size=512MB", "--log.level=warn"])
        .directory(&directory)
        .start()?;
    book.change(|record| {
        record.prometheus.process = Some(started.clone());
        record.prometheus.version = version;
        log.clone_into(&mut record.prometheus.log);
    })?;
    Ok(started)
}

/// Whether it answers queries; why not otherwise.
pub(super) async fn answers(record: &PrometheusRecord) -> Result<(), String> {
    if record.process.is_none() {
        return Err("it was never started".to_owned());
    }
    let port = record.port;
    let ask = async {
        let mut stream = TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(format!("GET /-/ready HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        Ok::<_, std::io::Error>(head)
    };
    match timeout(PATIENCE, ask).await {
        Ok(Ok(head)) if head.ends_with(b" 200") => Ok(()),
        Ok(Ok(head)) => Err(format!("it answered {}", String::from_utf8_lossy(&head))),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// Reads `prometheus, version 2.42.0+ds (branch: …`; empty when it says something else.
async fn version(program: &PathBuf) -> String {
    let Ok(output) = tokio::process::Command::new(program).arg("--version").output().await else { return String::new() };
    // Why: older ones say it on standard error.
    let said = String::from_utf8_lossy(if output.stdout.is_empty() { &output.stderr } else { &output.stdout }).into_owned();
    said.split_ascii_whitespace().nth(2).unwrap_or_default().to_owned()
}
