//! Writes the scale study: `scale FOLDER`. Or prints one of its parts: `scale --only waves|failing|scale-outs|steady`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tests::scale::{
    Figures, SCALE_OUTS, SIZES, ScaleOut, ScaledOut, Steadiness, SteadyState, Study, chart, failing_row,
    page, row, scaled_out_row, steady_row, steady_states, study, study_of_failures,
};

const USAGE: &str = "usage: scale FOLDER | scale --only waves|failing|scale-outs|steady";

static IS_BROKEN: AtomicBool = AtomicBool::new(false);

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--only", "waves"] => drop(waves()),
        ["--only", "failing"] => drop(failing()),
        ["--only", "scale-outs"] => drop(scale_outs()),
        ["--only", "steady"] => drop(steady()),
        [folder] if !folder.starts_with('-') => write(Path::new(folder)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    if IS_BROKEN.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[allow(clippy::print_stdout, reason = "a command line")]
fn write(folder: &Path) {
    // Each study has a runtime of its own.
    let study = thread::scope(|scope| {
        let (waves, failing) = (scope.spawn(waves), scope.spawn(failing));
        let (scaled_out, steady) = (scope.spawn(scale_outs), scope.spawn(steady));
        let all = (waves.join(), failing.join(), scaled_out.join(), steady.join());
        let (Ok(waves), Ok(failing), Ok(scaled_out), Ok(steady)) = all else { panic!("a study panicked") };
        Study { waves, failing, scaled_out, steady }
    });
    for (name, text) in [("scale.md", page(&study)), ("scale.svg", chart(&study.waves))] {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("{}", path.display());
    }
}

fn waves() -> Vec<Figures> {
    let waves = SIZES.into_iter().map(study);
    waves.inspect(|wave| show(&row(wave), wave.broken_promises())).collect()
}

fn failing() -> Vec<Figures> {
    let waves = SIZES.into_iter().map(study_of_failures);
    waves.inspect(|wave| show(&failing_row(wave), wave.broken_promises())).collect()
}

fn scale_outs() -> Vec<ScaledOut> {
    let seen = SCALE_OUTS.into_iter().map(ScaleOut::study);
    seen.inspect(|seen| show(&scaled_out_row(seen), seen.broken_promises())).collect()
}

fn steady() -> Vec<Steadiness> {
    let seen = steady_states().into_iter().map(SteadyState::study);
    seen.inspect(|seen| show(&steady_row(seen), seen.broken_promises())).collect()
}

#[allow(clippy::print_stdout, reason = "a command line")]
fn show(row: &str, broken: Vec<String>) {
    print!("{row}");
    for promise in broken {
        println!("BROKEN: {promise}");
        IS_BROKEN.store(true, Ordering::Relaxed);
    }
}
