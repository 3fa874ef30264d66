//! The demo: the product's main job on one machine, as a story with an end that is checked.
//!
//! | module | what it does |
//! |---|---|
//! | [`options`] | the command line |
//! | [`cast`] | who plays: instances, their faults, task definitions |
//! | [`stage`] | local AWS, function binaries, queues and schedule, wired as the template would |
//! | [`acts`] | the story |
//! | [`look`], [`hear`], [`watch`] | what an observer sees and hears, many times a second, as a timeline |
//! | [`check`] | what must be reached; pure |
//! | [`chores`] | what a person would have had to do; pure |
//! | [`screen`], [`table`], [`ink`], [`frame`] | the terminal |
//! | [`story`], [`report`], [`chart`] | what is kept of the run, as a page and a picture |
//!
//! It decides nothing that the functions decide: it starts their binaries, unchanged, and looks. What the SSM agents
//! carry out is the model of the mapping script in [`crate::fleet`], or the script itself in a real PowerShell
//! ([`crate::powershell`]).

pub mod acts;
pub mod cast;
pub mod chart;
pub mod check;
pub mod chores;
pub mod frame;
pub mod hear;
pub mod ink;
pub mod look;
pub mod options;
pub mod report;
pub mod screen;
pub mod stage;
pub mod story;
pub mod table;
pub mod watch;

use crate::fleet::Presented;
use crate::local_aws::LocalAws;
use crate::local_aws::server::Server;
use crate::powershell;
use acts::Show;
use cast::Part;
use check::{Ending, Sent};
use chores::Work;
use frame::Light;
use ink::{Line, Tone};
use options::Options;
use screen::Screen;
use stage::{NAMES, Stage, Waits};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use story::{Figure, Story};
use tokio::task::JoinSet;

/// Lines of the table at the end; a cluster that is larger is folded.
const FINAL_TABLE: usize = 60;

/// Runs the demo with the function binaries of a directory, and tells the story of it.
///
/// # Errors
/// When a binary is missing, no port can be listened on, or the output is gone.
pub async fn run<W: Write>(options: Options, binaries: &Path, screen: Screen<W>) -> io::Result<Story> {
    let base = Server::wall_clock();
    let (world, cast) = cast::world(&options, base);
    let stage = Stage::open(LocalAws::new(world), binaries, waits(&options)).await?;
    let mut agents = match &options.pwsh {
        Some(pwsh) => powershell::carry_out(&stage.server, pwsh).await?,
        None => JoinSet::new(),
    };
    let mut show = Show::new(options, stage, screen, base, cast);
    show.play().await?;
    // They run until they are dropped: one that ended did so with an error.
    while let Some(ended) = agents.try_join_next() {
        show.failures.push(format!("PowerShell: {ended:?}"));
    }
    let length = show.elapsed();
    show.stage.close().await;
    show.listen();
    show.settle()?;
    let ending = ending(&mut show);
    let story = Story {
        setting: setting(&show.options),
        length,
        acts: show.acts.clone(),
        lanes: show.watch.lanes(),
        entries: show.watch.entries.clone(),
        calls: show.watch.calls.clone(),
        figures: figures(&show),
        checks: check::checks(&show.options, &ending),
        by_hand: chores::chores(&work(&show, &ending)),
        validations: show.validations.clone(),
    };
    tell(&mut show, &story)?;
    let directory = Path::new(&show.options.report);
    let page = report::write(&story, directory)?;
    for function in &show.stage.functions {
        let lines: String = function.lines(0).into_iter().map(|line| line.text + "\n").collect();
        std::fs::write(directory.join(format!("{}.log", function.name())), lines)?;
    }
    let text = format!(
        "Report: {}; beside it timeline.svg, for a slide, and what each function logged.",
        page.display()
    );
    show.screen().line(Line::new());
    show.screen().line(Line::new().then(Tone::Plain, text));
    show.screen().flush()?;
    Ok(story)
}

fn waits(options: &Options) -> Waits {
    let instances = options.instances as f64;
    // A real PowerShell takes a good part of a second a host, and two hosts at once.
    let slower = if options.pwsh.is_some() { 3.0 } else { 1.0 };
    let base = slower * (0.6 + instances / 250.0);
    let verify_every = match options.outage {
        // Checks are there to find an outage. They go two at a time, so a fleet has to be given the time for a round;
        // and a check that SSM ended early is made again after 20 × base, before its instance counts as silent.
        Some(_) => Duration::from_secs_f64((instances * 0.25).max(base * 24.0)),
        None => Duration::from_secs(30 * 60),
    };
    Waits { base: Duration::from_secs_f64(base), verify_every }
}

fn setting(options: &Options) -> String {
    let mut text = format!("{} container instances, seed {}", options.instances, options.seed);
    if options.fail > 0 {
        text += &format!(", {} % with a fault of their own", options.fail);
    }
    if options.pwsh.is_some() {
        text += ", the mapping script run by a real PowerShell";
    }
    if options.wrong_password {
        text += ", a wrong password";
    }
    if let Some(outage) = options.outage {
        text += &format!(", the file server away for {} s", outage.as_secs());
    }
    text
}

fn ending<W: Write>(show: &mut Show<W>) -> Ending {
    let mut end = Ending {
        standings: show.watch.standings.clone(),
        log_ons_while_wrong: show.log_ons_while_wrong,
        drained_in_trouble: show.drained_in_trouble,
        open_without_share: show.watch.open_without_share.clone(),
        gated_tasks_astray: show.gated_tasks_astray,
        validations: show.validations.clone(),
        failures: show.failures.clone(),
        withheld: show.watch.heard.withheld.clone(),
        metrics: show.watch.heard.metrics.clone(),
        ..Ending::default()
    };
    end.open_without_share.sort();
    end.open_without_share.dedup();
    {
        let aws = show.stage.server.aws();
        let sends = aws.calls().iter().filter(|call| call.operation == "SendCommand" && call.effect);
        for call in sends {
            let by_map_share = &*call.caller.0 == NAMES[0];
            end.map_share_commands += usize::from(by_map_share);
            for id in
                call.request()["InstanceIds"].as_array().into_iter().flatten().filter_map(|id| id.as_str())
            {
                let first = Sent { commands: 0, first_by_map_share: by_map_share };
                end.sent.entry(id.to_owned()).or_insert(first).commands += 1;
            }
        }
    }
    for (name, source) in [(NAMES[0], &show.stage.map_share), (NAMES[1], &show.stage.drain_unmapped)] {
        let dead = source.queue().dead_letters().len();
        if dead > 0 {
            end.failures.push(format!("{name}: {dead} dead letters"));
        }
    }
    end
}

fn work<W: Write>(show: &Show<W>, end: &Ending) -> Work {
    let ours = |part: fn(Part) -> bool| {
        end.standings.iter().filter(|one| one.part.is_ours() && part(one.part)).count()
    };
    Work {
        instances: ours(|_| true),
        scaled_out: ours(|part| !matches!(part, Part::Before | Part::DrainedByOperator)),
        failed: ours(|part| part.true_cause().is_some()),
        drained: end.standings.iter().filter(|one| one.row.light == Light::Drained).count(),
        commands: show
            .watch
            .calls
            .iter()
            .filter(|call| call.operation == "SendCommand" && !call.refused)
            .count(),
        task_definitions: show.validations.iter().filter(|one| !one.valid).count(),
        wrong_password: show.options.wrong_password,
        lost: show.lost,
    }
}

fn figures<W: Write>(show: &Show<W>) -> Vec<Figure> {
    let figure = |value: String, label: &str| Figure { value, label: label.to_owned() };
    let lanes = show.watch.lanes();
    let mut times: Vec<Duration> = show
        .watch
        .cast
        .iter()
        .zip(&lanes)
        .filter(|(member, _)| member.part == Part::ScaleOut)
        .filter_map(|(_, lane)| {
            let from = lane.spans.iter().find(|(_, light)| *light != Light::Absent)?.0;
            let to = lane.spans.iter().find(|(_, light)| *light == Light::Open)?.0;
            Some(to.saturating_sub(from))
        })
        .collect();
    times.sort();
    let commands =
        show.watch.calls.iter().filter(|call| call.operation == "SendCommand" && !call.refused).count();
    let functions = |call: &&story::CallMark| NAMES.contains(&call.caller.as_str());
    let calls = show.watch.calls.iter().filter(functions).count();
    let ours = show.watch.cast.iter().filter(|member| member.part.is_ours()).count();
    let log_ons = {
        let aws = show.stage.server.aws();
        let account = &aws.world.account;
        account.count(Presented::Parameters, true) + account.count(Presented::Parameters, false)
    };
    let mut all = Vec::new();
    if let (Some(median), Some(last)) = (times.get(times.len() / 2), times.last()) {
        let label = "from registration to an open gate, median of the scale-out; the host's part shortened";
        all.push(figure(format!("{:.1} s", median.as_secs_f64()), label));
        all.push(figure(format!("{:.1} s", last.as_secs_f64()), "the slowest of them"));
    }
    all.push(figure(commands.to_string(), &format!("commands sent, for {ours} Windows container instances")));
    all.push(figure(log_ons.to_string(), "log-ons with the password of the parameters, in the whole fleet"));
    all.push(figure(calls.to_string(), "AWS calls by the three functions"));
    all
}

/// The last page on the terminal.
fn tell<W: Write>(show: &mut Show<W>, story: &Story) -> io::Result<()> {
    let frame = show.watch.frame(story.length, "", "");
    let screen = show.screen();
    screen.heading("The cluster at the end", "");
    screen.table(&frame, FINAL_TABLE);
    screen.heading("AWS calls", "");
    for ((caller, operation), count) in &frame.calls {
        let refused = if count.refused > 0 { format!(", {} refused", count.refused) } else { String::new() };
        let text = format!("{caller:<16}{operation:<30}{:>5}{refused}", count.made);
        screen.line(Line::new().then(Tone::Plain, text));
    }
    screen.heading(
        "By hand, and as it was done",
        "Steps that a person would have had in this run; a step is one command or one page.",
    );
    for chore in &story.by_hand {
        let line = Line::new()
            .then(Tone::Strong, format!("{:>5}  ", chore.steps))
            .then(Tone::Plain, format!("{:<66}", chore.what))
            .then(Tone::Quiet, chore.instead.clone());
        screen.line(line);
    }
    let total: usize = story.by_hand.iter().map(|chore| chore.steps).sum();
    screen.line(Line::new().then(Tone::Strong, format!("{total:>5}  steps by hand")));
    screen.heading("In numbers", "");
    for figure in &story.figures {
        let line = Line::new()
            .then(Tone::Strong, format!("{:>8}  ", figure.value))
            .then(Tone::Plain, &*figure.label);
        screen.line(line);
    }
    screen.heading("What it had to reach", "");
    for check in &story.checks {
        let line = match &check.missed {
            None => Line::new().then(Tone::Good, "  ✓  ").then(Tone::Plain, &*check.text),
            Some(missed) => Line::new()
                .then(Tone::Bad, "  ✗  ")
                .then(Tone::Plain, format!("{}: ", check.text))
                .then(Tone::Bad, &**missed),
        };
        screen.line(line);
    }
    screen.flush()
}
