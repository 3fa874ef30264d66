//! Measures the packaged functions beside a function that does nothing and one in Python, and writes the tables: all into
//! `target/bench/` and `docs/`, the summary into the README.
//!
//! `make bench` builds what it needs first.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints its tables")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use tests::bench::report::{Connections, Process, Report, replace_between};
use tests::bench::scene::{Work, packaged};
use tests::bench::{calls, connections, items, processes};
use tests::local_aws::server::Server;

/// Odd, as the next, so that a median is a measured value.
const ROUNDS: usize = 21;

/// Starts with nobody at the other end, of which the init is told. They are short, and their ratio is a promise.
const STARTS: usize = 101;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match run(&root) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = Report {
        date: Server::wall_clock().strftime("%F").to_string(),
        machine: machine(),
        rustc: said(Command::new("rustc").arg("-V")),
        rounds: ROUNDS,
        starts: STARTS,
        processes: runtime.block_on(measure_processes(root)),
        connections: runtime.block_on(measure_connections(root)),
        calls: calls::measure(&[1, 50, 500, 5_000], &[(100, 40), (5_000, 40)]),
        items: items::read(&root.join("target/criterion")),
    };
    let json = serde_json::to_string_pretty(&report)? + "\n";
    for directory in ["target/bench", "docs"] {
        std::fs::create_dir_all(root.join(directory))?;
        std::fs::write(root.join(directory).join("bench.md"), report.markdown())?;
        std::fs::write(root.join(directory).join("bench.json"), &json)?;
    }
    let readme = root.join("README.md");
    let text = std::fs::read_to_string(&readme)?;
    let text = replace_between(&text, "<!-- bench: make bench -->", "<!-- /bench -->", &report.summary())?;
    std::fs::write(&readme, text)?;
    Ok(report.markdown())
}

async fn measure_processes(root: &Path) -> Vec<Process> {
    let mut subjects = vec![Work::Floor, Work::Leanest];
    subjects.extend(Work::OURS);
    // Where PyPI is not at hand, `make bench` goes on without it.
    if root.join(".venv/boto3/installed").is_file() {
        subjects.push(Work::Boto3);
    }
    let mut starts = vec![Vec::with_capacity(STARTS); subjects.len()];
    for _ in 0..STARTS {
        for (work, starts) in subjects.iter().zip(&mut starts) {
            starts.push(processes::init_refused_ms(*work, &program(root, *work)).await);
        }
    }
    let mut samples = vec![Vec::with_capacity(ROUNDS); subjects.len()];
    for _ in 0..ROUNDS {
        for (work, samples) in subjects.iter().zip(&mut samples) {
            samples.push(processes::run(*work, &program(root, *work)).await);
        }
    }
    let rows = subjects.iter().zip(&starts).zip(&samples).map(|((work, own), samples)| Process {
        function: work.name().to_owned(),
        zipped_bytes: zipped(root, *work),
        init_refused_ms: processes::median(own.clone()),
        // Within a round, for the machine is not equally fast all the time.
        times_floor: processes::median(own.iter().zip(&starts[0]).map(|(own, floor)| own / floor).collect()),
        medians: processes::medians(samples),
    });
    rows.collect()
}

async fn measure_connections(root: &Path) -> Vec<Connections> {
    let mut rows = Vec::new();
    for work in Work::OURS.into_iter().chain([Work::ValidateNamed]) {
        rows.push(Connections::new(work, connections::measure(work, &program(root, work)).await));
    }
    rows
}

fn program(root: &Path, work: Work) -> PathBuf {
    match work {
        Work::Boto3 => root.join("tests/bench/boto3/bootstrap"),
        other => packaged(root, other),
    }
}

fn zipped(root: &Path, work: Work) -> Option<u64> {
    // What does nothing is no part of what is deployed.
    let directory = if matches!(work, Work::Floor | Work::Leanest) { "target/bench" } else { "dist" };
    Some(std::fs::metadata(root.join(directory).join(work.binary()).with_extension("zip")).ok()?.len())
}

/// The class of the machine.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| -> Option<String> {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu = value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "an unnamed CPU".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kib: f64 = value(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.trim_end_matches(" kB").parse().ok())
        .unwrap_or_default();
    format!("{cpu}, {cores} cores, {:.0} GiB, Linux on {}", kib / 1_048_576.0, std::env::consts::ARCH)
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
