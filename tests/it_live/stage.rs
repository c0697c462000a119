//! One local stack for all tests of this binary, and the program on it as a person runs it. One test has it at a time.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use cutover::stack::process::Identity;
use cutover::stack::reaper::Reaper;
use cutover::stack::{DataDir, ServerFile};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_cutover");

pub struct Stage {
    pub data: DataDir,
    pub directory: PathBuf,
    _reaper: Reaper,
}

/// The stage, for this test alone.
pub async fn stage() -> MutexGuard<'static, Stage> {
    static STAGE: OnceLock<Mutex<Stage>> = OnceLock::new();
    let stage = STAGE.get_or_init(|| Mutex::new(Stage::new())).lock().await;
    stage.end_runs().await;
    stage
}

impl Stage {
    pub fn new() -> Self {
        let mut reaper = Reaper::start(Path::new(PROGRAM)).unwrap();
        let directory = tempfile::Builder::new().prefix("cutover-it-").tempdir().unwrap().keep();
        reaper.remove_directory(&directory).unwrap();
        let data = DataDir::open(&directory.join("data")).unwrap();
        reaper.watch_stack(data.path()).unwrap();
        reaper.watch_keeper(data.path()).unwrap();
        reaper.watch_supervisor(data.path()).unwrap();
        Self { data, directory, _reaper: reaper }
    }

    /// Ends the runs that rest in the middle, as the tests before left them: they hold what they touch.
    async fn end_runs(&self) {
        if self.server().is_none() {
            return;
        }
        let (listed, _) = self.json(&["runs"]).await;
        for run in listed["runs"].as_array().into_iter().flatten() {
            if !matches!(run["state"].as_str(), Some("done" | "reverted" | "aborted" | "abandoned")) {
                self.run(&["runs", "abort", run["id"].as_str().unwrap()]).await;
            }
        }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).arg("--data").arg(self.data.path());
        command.env("CUTOVER_NO_INPUT", "true").stdin(Stdio::null());
        command
    }

    /// Runs the program to its end, in a thread of its own.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Runs the program for its JSON document, and its exit code.
    pub async fn json(&self, arguments: &[&str]) -> (Value, i32) {
        let output = self.run(&[arguments, &["--output", "json"]].concat()).await;
        (document(&output), output.status.code().unwrap_or(-1))
    }

    /// A server of its own process group member, which dies at the crash point if one is given.
    pub fn serve(&self, crash: Option<&str>) -> Child {
        let mut command = self.command(&["serve"]);
        if let Some(crash) = crash {
            command.env("CUTOVER_CRASH", crash);
        }
        let log = std::fs::File::options().create(true).append(true).open(self.directory.join("serve.log")).unwrap();
        command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// Waits until that process is the data directory's server.
    pub async fn until_served(&self, pid: u32) {
        while self.server().is_none_or(|server| server.pid != pid) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// The processes that serve this data directory.
    pub fn servers(&self) -> Vec<u32> {
        let of = |pid: u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            let serves = words.get(1).is_some_and(|word| *word == b"serve");
            let here = words.iter().any(|word| *word == self.data.path().as_os_str().as_encoded_bytes());
            (serves && here).then_some(pid)
        };
        let entries = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        entries.filter_map(of).collect()
    }

    /// The server's process, once one is there.
    pub fn server(&self) -> Option<Identity> {
        self.data.read_server().unwrap().map(|server: ServerFile| server.identity()).filter(Identity::is_alive)
    }

    /// A playbook of the test's own.
    pub fn playbook(&self, name: &str, text: &str) -> String {
        let path = self.directory.join(format!("{name}.yaml"));
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }
}

/// What the program wrote to standard output, as JSON.
pub fn document(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: exit {:?}\n{text}\n{}", output.status.code(), String::from_utf8_lossy(&output.stderr));
    })
}

/// Fails with all counts when one of those that must be zero is not.
pub fn clean(counts: &Value) {
    for wrong in ["lost", "duplicated", "out_of_order", "unknown_exercise", "pending", "unanswered", "refused"] {
        assert_eq!(counts[wrong], 0, "{wrong}: {counts:#}");
    }
    assert_eq!(counts["requests"], counts["acknowledged"], "{counts:#}");
}
