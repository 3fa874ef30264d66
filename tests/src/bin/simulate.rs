//! Plays many seeds on every core, or one seed with its timeline: `simulate 10000`, `simulate --from 5000 1000`,
//! `simulate --seed 7`. `--regressions` plays first the seeds that once broke an invariant. `--traces` prints a hash of
//! each history's calls, to compare two versions of the product. `--lies` plays only seeds whose histories lie. `--go-on` lists
//! every broken seed. `--minutes 60` plays seeds for that long. A broken invariant is shrunk, printed, and an error.

use std::process::ExitCode;
use std::time::Duration;

use aws_smithy_async::time::{SystemTimeSource, TimeSource};
use tests::simulation::plan::Plan;
use tests::simulation::play::{History, play};
use tests::simulation::regressions::REGRESSIONS;
use tests::simulation::seeds::{Seeds, play_many};
use tests::simulation::shrink::shrink;

struct Options {
    seeds: Seeds,
    one: Option<u64>,
    shrinks: bool,
    regressions: bool,
    traces: bool,
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options =
        Options { seeds: Seeds::new(1, 300), one: None, shrinks: true, regressions: false, traces: false };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seed") => options.one = Some(arguments.value()?.parse()?),
            Long("no-shrink") => options.shrinks = false,
            Long("regressions") => options.regressions = true,
            Long("lies") => options.seeds.only_lies = true,
            Long("go-on") => options.seeds.goes_on = true,
            Long("traces") => options.traces = true,
            Long("minutes") => {
                let time = Duration::from_secs(60 * arguments.value()?.parse::<u64>()?);
                options.seeds.until = Some(SystemTimeSource::new().now() + time);
                options.seeds.count = u64::MAX;
            }
            Long("from") => options.seeds.from = arguments.value()?.parse()?,
            Value(seeds) => options.seeds.count = seeds.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]
fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!(
                "{error}\nusage: simulate [--no-shrink] [--regressions] [--traces] [--lies] [--go-on] [--from FIRST] [--minutes MINUTES | SEEDS], or simulate [--no-shrink] --seed SEED"
            );
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = options.one {
        let history = play(&Plan::generate(seed), true);
        return if print(&history, options.shrinks) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    for (seed, _) in REGRESSIONS.into_iter().filter(|_| options.regressions) {
        let history = play(&Plan::generate(seed), true);
        if history.violation.is_some() {
            print(&history, options.shrinks);
            return ExitCode::FAILURE;
        }
    }
    let began = SystemTimeSource::new().now();
    let (statistics, broken) = play_many(options.seeds, |history| {
        if let Some(violation) = history.violation.as_ref().filter(|_| options.seeds.goes_on) {
            println!("seed {} breaks \"{}\": {}", history.seed, violation.invariant, violation.what);
        }
        if options.traces {
            println!("trace {} {:016x}", history.seed, history.trace);
        }
    });
    println!("{statistics}");
    let took = SystemTimeSource::new().now().duration_since(began).unwrap_or_default();
    println!("took {} s", took.as_secs());
    match broken {
        Some(history) => {
            print(&history, options.shrinks);
            ExitCode::FAILURE
        }
        None => {
            println!("no invariant was broken");
            ExitCode::SUCCESS
        }
    }
}

/// Prints a history. The answer is whether it kept all invariants.
#[allow(clippy::print_stdout, reason = "a command line")]
fn print(history: &History, shrinks: bool) -> bool {
    let Some(violation) = &history.violation else {
        println!("{}", history.timeline.join("\n"));
        println!(
            "{}\nseed {}: no invariant was broken, trace {:016x}",
            history.statistics, history.seed, history.trace
        );
        return true;
    };
    println!(
        "seed {} breaks \"{}\" at {:.3}:\n{}\n",
        history.seed, violation.invariant, violation.at, violation.what
    );
    if !shrinks {
        println!("{}", history.timeline.join("\n"));
        return false;
    }
    let shrunk = shrink(history.seed, violation.invariant);
    println!("shrunk in {} replays to this:\n{}\n", shrunk.replays, shrunk.history.timeline.join("\n"));
    println!("again: make simulate SEED={}", history.seed);
    false
}
