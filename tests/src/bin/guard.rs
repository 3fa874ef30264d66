//! Holds the packaged functions against `tests/bench/reference.json`: sizes, handshakes, AWS calls and instructions, never
//! a time. `make guard` after `make package`; with `--write` the reference is written anew.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it compares")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

use tests::bench::connections::When;
use tests::bench::guard::{
    Reference, by_name, change_percent, check_calls, check_handshakes, check_instructions, check_sizes,
};
use tests::bench::instructions::{self, Instructions};
use tests::bench::memory::{self, MIB_AT_MOST};
use tests::bench::scene::{Work, packaged};
use tests::bench::{calls, connections};

/// Above this a package is no small one any more: two thirds of what the SDK's documented set-up gives.
const ZIPPED_BYTES_AT_MOST: u64 = 2_600_000;

/// How often the handshakes of a function are counted.
const HANDSHAKE_MEASUREMENTS: usize = 3;

fn main() -> ExitCode {
    let root = tests::repository::root();
    let write = std::env::args().nth(1).is_some_and(|argument| argument == "--write");
    match run(&root, write) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            findings.iter().for_each(|finding| eprintln!("guard: {finding}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("guard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, write: bool) -> Result<Vec<String>, Box<dyn Error>> {
    let file = root.join("tests/bench/reference.json");
    let sizes = sizes(root)?;
    let calls = calls::measure(&[1, 50, 500], &[(100, 40), (500, 40)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handshakes = runtime.block_on(handshakes(root));
    let toolchain = toolchain()?;
    if write {
        let instructions = runtime.block_on(instructions(root))?;
        let reference = Reference {
            toolchain,
            zipped_bytes_at_most: ZIPPED_BYTES_AT_MOST,
            handshakes,
            calls: by_name(&calls),
            instructions,
        };
        std::fs::write(&file, serde_json::to_string_pretty(&reference)? + "\n")?;
        println!("{} is written anew: look at the difference before it is committed", file.display());
        return Ok(Vec::new());
    }
    let reference: Reference = serde_json::from_slice(&std::fs::read(&file)?)?;
    for (name, size) in &sizes {
        println!("size          {name}: {size} bytes zipped, at most {}", reference.zipped_bytes_at_most);
    }
    for (name, counts) in &handshakes {
        println!("handshakes    {name}: {counts:?}");
    }
    for (name, [made, fewest]) in by_name(&calls) {
        println!("calls         {name}: {made}, {fewest} would do");
    }
    let mut findings = check_sizes(&reference, &sizes);
    findings.extend(check_handshakes(&reference, &handshakes));
    findings.extend(check_calls(&reference, &calls));
    let peak = runtime.block_on(memory::peak_mib(&packaged(root, Work::DrainUnmapped)))?;
    println!(
        "memory        drain-unmapped after ten waves of 5,000 failures: {peak:.1} MiB, at most {MIB_AT_MOST}"
    );
    findings.extend(
        (peak > MIB_AT_MOST)
            .then(|| format!("drain-unmapped needs {peak:.1} MiB, at most {MIB_AT_MOST} are allowed")),
    );
    if reference.toolchain == toolchain {
        let measured = runtime.block_on(instructions(root))?;
        print_instructions(&reference, &measured);
        findings.extend(check_instructions(&reference, &measured));
    } else {
        let Reference { toolchain: wanted, .. } = &reference;
        println!(
            "instructions  SKIPPED: this is {toolchain:?}\n              SKIPPED: the reference is of {wanted:?}"
        );
    }
    println!("guard: {} findings", findings.len());
    Ok(findings)
}

fn sizes(root: &Path) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let mut sizes = BTreeMap::new();
    for work in Work::OURS {
        let zip = root.join("dist").join(work.binary()).with_extension("zip");
        let size = std::fs::metadata(&zip)
            .map_err(|error| format!("{}: {error}; make package", zip.display()))?
            .len();
        sizes.insert(work.binary().to_owned(), size);
    }
    Ok(sizes)
}

/// The fewest of several measurements: on a machine that stalls the SDK may connect once more.
async fn handshakes(root: &Path) -> BTreeMap<String, Vec<usize>> {
    let mut all = BTreeMap::new();
    for work in Work::OURS.into_iter().chain([Work::ValidateNamed]) {
        let mut fewest = vec![usize::MAX; When::ALL.len()];
        for _ in 0..HANDSHAKE_MEASUREMENTS {
            let opened = connections::measure(work, &packaged(root, work)).await;
            for (fewest, (_, counts)) in fewest.iter_mut().zip(opened) {
                *fewest = counts.handshakes.min(*fewest);
            }
        }
        all.insert(work.name().to_owned(), fewest);
    }
    all
}

async fn instructions(root: &Path) -> Result<BTreeMap<String, Instructions>, Box<dyn Error>> {
    let mut all = BTreeMap::new();
    for work in Work::OURS {
        all.insert(work.name().to_owned(), instructions::count(work, &packaged(root, work)).await?);
    }
    Ok(all)
}

fn print_instructions(reference: &Reference, measured: &BTreeMap<String, Instructions>) {
    for (name, now) in measured {
        let Some(then) = reference.instructions.get(name) else { continue };
        println!(
            "instructions  {name}: init {} ({:+.2} %), invocation {} ({:+.2} %)",
            now.init,
            change_percent(now.init, then.init),
            now.invocation,
            change_percent(now.invocation, then.invocation),
        );
    }
}

/// Whatever makes instruction counts differ where the source does not.
fn toolchain() -> Result<Vec<String>, Box<dyn Error>> {
    let said = |program: &str, argument: &str| -> Result<String, Box<dyn Error>> {
        let output = Command::new(program).arg(argument).output();
        let output = output.map_err(|error| format!("{program} {argument}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    };
    Ok(vec![said("rustc", "-V")?, said("ldd", "--version")?, said("valgrind", "--version")?])
}
