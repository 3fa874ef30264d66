//! `make demo`.

use std::process::ExitCode;
use tests::demo::options::{self, HELP};
use tests::demo::run;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("demo: {error}\nSee --help.");
            return ExitCode::from(2);
        }
    };
    // Cargo puts the functions' binaries beside this one.
    let binaries = std::env::current_exe().map(|path| path.with_file_name(""));
    let outcome = tokio::select! {
        biased;
        // Dropping the run ends every process that it started.
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
        outcome = async { run(options, &binaries?).await } => outcome,
    };
    match outcome {
        Ok(checks) if checks.iter().all(|check| check.wrong.is_none()) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}
