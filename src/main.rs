//! The program's entry.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ExitCode::from(cutover::cli::main(std::env::args_os()).await)
}
