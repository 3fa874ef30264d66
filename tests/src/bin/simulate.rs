//! Plays many seeds on every core, or one seed as a timeline: `simulate 10000`, `simulate --from 5000 1000`,
//! `simulate --seed 7`; with `--regressions` those that once broke a promise first, with `--traces` a hash of each
//! history's calls, to compare two versions of the product. A broken promise is shrunk, told and an error.

use std::process::ExitCode;

use aws_smithy_async::time::{SystemTimeSource, TimeSource};
use tests::simulation::plan::Plan;
use tests::simulation::play::{Played, play};
use tests::simulation::regressions::REGRESSIONS;
use tests::simulation::seeds::play_each;
use tests::simulation::shrink::shrink;

struct Options {
    from: u64,
    seeds: u64,
    one: Option<u64>,
    shrinks: bool,
    regressions: bool,
    traces: bool,
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options =
        Options { from: 1, seeds: 300, one: None, shrinks: true, regressions: false, traces: false };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seed") => options.one = Some(arguments.value()?.parse()?),
            Long("no-shrink") => options.shrinks = false,
            Long("regressions") => options.regressions = true,
            Long("traces") => options.traces = true,
            Long("from") => options.from = arguments.value()?.parse()?,
            Value(seeds) => options.seeds = seeds.parse()?,
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
                "{error}\nusage: simulate [--no-shrink] [--regressions] [--traces] [--from FIRST] [SEEDS], or simulate [--no-shrink] --seed SEED"
            );
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = options.one {
        let played = play(&Plan::draw(seed), true);
        return if tell(&played, options.shrinks) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    for regression in REGRESSIONS.iter().filter(|_| options.regressions) {
        let played = play(&Plan::draw(regression.seed), true);
        if played.violation.is_some() {
            tell(&played, options.shrinks);
            return ExitCode::FAILURE;
        }
    }
    let began = SystemTimeSource::new().now();
    let (statistics, broken) = play_each(options.from, options.seeds, |played| {
        if options.traces {
            println!("trace {} {:016x}", played.seed, played.trace);
        }
    });
    println!("{statistics}");
    let took = SystemTimeSource::new().now().duration_since(began).unwrap_or_default();
    println!("took {} s", took.as_secs());
    match broken {
        Some(played) => {
            tell(&played, options.shrinks);
            ExitCode::FAILURE
        }
        None => {
            println!("no promise was broken");
            ExitCode::SUCCESS
        }
    }
}

/// Tells how a history went; whether it kept all promises.
#[allow(clippy::print_stdout, reason = "a command line")]
fn tell(played: &Played, shrinks: bool) -> bool {
    let Some(violation) = &played.violation else {
        println!("{}", played.timeline.join("\n"));
        println!(
            "{}\nseed {}: no promise was broken, trace {:016x}",
            played.statistics, played.seed, played.trace
        );
        return true;
    };
    println!(
        "seed {} breaks \"{}\" at {:.3}:\n{}\n",
        played.seed, violation.invariant, violation.at, violation.what
    );
    if !shrinks {
        println!("{}", played.timeline.join("\n"));
        return false;
    }
    let shrunk = shrink(played.seed, violation.invariant);
    println!("shrunk by {} replays to this:\n{}\n", shrunk.replays, shrunk.played.timeline.join("\n"));
    println!("again: make simulate SEED={}", played.seed);
    false
}
