//! The demo: one run of the product on one machine, from the first deployment to an end that is checked.
//!
//! | module | what it does |
//! |---|---|
//! | [`options`] | the command line |
//! | [`fleet_setup`] | instances, their faults, task definitions |
//! | [`deployment`] | local AWS, function binaries, queues and schedule, connected as by the template |
//! | `scenario` | what happens, phase by phase |
//! | `view`, `logs`, `observations` | what is seen many times a second |
//! | `check` | what must be reached; pure |
//! | `screen`, `report` | the terminal; `report.html` and `timeline.svg` |
//!
//! It decides nothing that the functions decide: it starts their binaries, unchanged, and looks. On the hosts runs the
//! model of the mapping script in [`crate::fleet`], or the script itself in a PowerShell ([`crate::powershell`]).

mod check;
pub mod deployment;
pub mod fleet_setup;
mod logs;
mod observations;
pub mod options;
mod report;
mod scenario;
mod screen;
mod view;

pub use check::Check;

use crate::fleet::Presented;
use crate::local_aws::LocalAws;
use crate::local_aws::server::Server;
use crate::powershell;
use deployment::{Deployment, NAMES, Waits};
use options::Options;
use report::Report;
use scenario::Scenario;
use screen::{Tone, text_table};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;

/// Runs the demo with the function binaries of a directory. Says what had to be reached, and what is wrong.
///
/// # Errors
/// When a binary is missing, no port can be listened on, or the output is gone.
pub async fn run(options: Options, binaries: &Path) -> io::Result<Vec<Check>> {
    let base = Server::wall_clock();
    let (world, instances) = fleet_setup::world(&options, base);
    let waits = waits(&options);
    let freshness = waits.base * 2;
    let deployment = Deployment::open(LocalAws::new(world), binaries, waits).await?;
    let mut agents = match &options.pwsh {
        Some(pwsh) => powershell::carry_out(&deployment.server, pwsh).await?,
        None => JoinSet::new(),
    };
    let mut scenario = Scenario::new(options, deployment, (base, freshness), instances);
    scenario.run().await?;
    // A PowerShell ends by itself only with an error.
    while let Some(ended) = agents.try_join_next() {
        scenario.seen.failures.push(format!("PowerShell: {ended:?}"));
    }
    scenario.end().await?;
    let checks = check::checks(&scenario.options, freshness, &scenario.seen);
    print_summary(&mut scenario, &checks)?;
    write_files(&mut scenario, &checks)?;
    Ok(checks)
}

fn waits(options: &Options) -> Waits {
    let instances = options.instances as f64;
    // A real PowerShell takes almost a second a host, and runs two hosts at once.
    let slower = if options.pwsh.is_some() { 3.0 } else { 1.0 };
    let base = slower * (0.6 + instances / 250.0);
    let verify_every = match options.outage {
        // Checks find the outage. They run two at a time, so a large fleet needs longer for a round. A check that SSM ended
        // early is repeated after 20 × base, before its instance counts as silent.
        Some(_) => Duration::from_secs_f64((instances * 0.25).max(base * 24.0)),
        None => Duration::from_secs(30 * 60),
    };
    Waits { base: Duration::from_secs_f64(base), verify_every }
}

fn print_summary(scenario: &mut Scenario, checks: &[Check]) -> io::Result<()> {
    let Scenario { seen, screen, deployment, .. } = scenario;
    let calls = seen.calls.iter().map(|((caller, operation), [made, refused])| {
        vec![caller.clone(), operation.clone(), made.to_string(), refused.to_string()]
    });
    screen.section("AWS calls", text_table(&["CALLER", "OPERATION", "CALLS", "ERRORS"], calls))?;
    let commands: usize = NAMES.iter().map(|name| seen.commands_by(name)).sum();
    let log_ons = {
        let aws = deployment.server.aws();
        let count = |good| aws.world.account.count(Presented::Parameters, good);
        count(true) + count(false)
    };
    screen.print([format!("{commands} commands; {log_ons} log-ons with the password of the parameters")])?;
    let lines = checks.iter().map(|check| match &check.wrong {
        None => format!("  {}  {}", Tone::Good.paint("✓"), check.text),
        Some(wrong) => format!("  {}  {}: {}", Tone::Bad.paint("✗"), check.text, Tone::Bad.paint(wrong)),
    });
    screen.section("What had to be reached", lines)
}

/// Writes the report, and what each function logged.
fn write_files(scenario: &mut Scenario, checks: &[Check]) -> io::Result<()> {
    let length = scenario.elapsed();
    let Scenario { options, seen, phases, screen, deployment, .. } = scenario;
    let directory = Path::new(&options.report);
    let page = Report { length, phases, seen, checks, transcript: &screen.transcript }.write(directory)?;
    for function in &deployment.functions {
        let lines: String = function.lines(0).into_iter().map(|line| line.text + "\n").collect();
        std::fs::write(directory.join(format!("{}.log", function.name())), lines)?;
    }
    screen.print([
        String::new(),
        format!(
            "Report: {}; beside it timeline.svg, for a slide, and what each function logged.",
            page.display()
        ),
    ])
}
