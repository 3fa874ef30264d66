//! `make demo`.

use std::process::ExitCode;
use tests::demo::options::{Command, HELP};
use tests::demo::screen::Screen;
use tests::demo::{options, run};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Run(options)) => options,
        Ok(Command::Help) => {
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
    let screen = Screen::stdout(options.plain);
    let outcome = tokio::select! {
        biased;
        // Dropping the run ends every process that it started, and gives the cursor back.
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
        outcome = async { run(options, &binaries?, screen).await } => outcome,
    };
    match outcome {
        Ok(story) if story.succeeded() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}
