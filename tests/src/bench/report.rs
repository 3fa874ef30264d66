//! The tables, as Markdown and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::calls::Calls;
use super::connections::{Opened, When};
use super::items::Item;
use super::processes::Sample;
use super::scene::Work;

/// What one run measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The day, in UTC.
    pub date: String,
    /// The machine.
    pub machine: String,
    /// The compiler.
    pub rustc: String,
    /// Rounds, of which the medians are shown.
    pub rounds: usize,
    /// Starts, of which the median init is shown.
    pub starts: usize,
    /// The floor first.
    pub processes: Vec<Process>,
    /// By function.
    pub connections: Vec<Connections>,
    /// AWS calls compared with the fewest possible.
    pub calls: Vec<Calls>,
    /// Costs an item.
    pub items: Vec<Item>,
}

/// A function's process.
#[derive(Debug, Serialize)]
pub struct Process {
    /// Its name.
    pub function: String,
    /// Its package, in bytes. `None`: not packaged.
    pub zipped_bytes: Option<u64>,
    /// The median init when nobody answers the warm-up, in ms.
    pub init_refused_ms: f64,
    /// The median of its ratio to the floor's in the same round.
    pub times_floor: f64,
    /// The other medians.
    #[serde(flatten)]
    pub medians: Sample,
}

/// A function's connections and requests.
#[derive(Debug, Serialize)]
pub struct Connections {
    /// Its name.
    pub function: String,
    /// In the order of [`When::ALL`](super::connections::When::ALL), on one process.
    pub opened: Opened,
}

impl Connections {
    /// A function's row.
    pub fn new(work: Work, opened: Opened) -> Self {
        Connections { function: work.name().to_owned(), opened }
    }
}

impl Report {
    /// A line about when and where.
    fn provenance(&self) -> String {
        let Report { date, machine, rustc, rounds, starts, .. } = self;
        format!(
            "Measured on {date}, {machine}, {rustc}; each function in turn, medians of {starts} starts and of {rounds} rounds of the rest."
        )
    }

    /// The tables of what a user of the functions notices: for the README.
    pub fn summary(&self) -> String {
        format!("{FLOORS}\n\n{}\n\n{}\n{}", self.provenance(), self.processes(), self.connections())
    }

    /// Everything.
    pub fn markdown(&self) -> String {
        format!(
            "# Measured\n\n<!-- `make bench` writes this file; do not edit -->\n\n{}\n\n## Processes\n\n{PROCESSES}\n\n{}\n\
             ## Connections\n\n{CONNECTIONS}\n\n{}\n## AWS calls\n\n{CALLS}\n\n{}\n## Per item\n\n{ITEMS}\n\n{}",
            self.provenance(),
            self.processes(),
            self.connections(),
            self.calls(),
            self.items(),
        )
    }

    fn processes(&self) -> String {
        let mut table = "| function | zipped MB | init ms | × floor | with warm-up ms | first ms | warm ms | resident MiB |\n\
                         |---|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
        for Process { function, zipped_bytes, init_refused_ms, times_floor, medians } in &self.processes {
            let zipped = zipped_bytes.map_or("–".to_owned(), |bytes| format!("{:.2}", bytes as f64 / 1e6));
            let Sample { init_answered_ms, first_ms, warm_ms, resident_mib } = medians;
            row(
                &mut table,
                format_args!(
                    "{function} | {zipped} | {init_refused_ms:.1} | {times_floor:.2} | {init_answered_ms:.1} | \
                     {first_ms:.1} | {warm_ms:.1} | {resident_mib:.1}"
                ),
            );
        }
        table
    }

    fn connections(&self) -> String {
        let mut table =
            format!("| handshakes (requests) | {} |\n|---|", When::ALL.map(When::heading).join(" | "));
        table += &"---:|".repeat(When::ALL.len());
        table.push('\n');
        for Connections { function, opened } in &self.connections {
            let cells: Vec<String> = opened
                .iter()
                .map(|(_, counts)| format!("{} ({})", counts.handshakes, counts.requests))
                .collect();
            row(&mut table, format_args!("{function} | {}", cells.join(" | ")));
        }
        table
    }

    fn calls(&self) -> String {
        let mut table =
            "| what | instances | made | fewest | ratio |\n|---|---:|---:|---:|---:|\n".to_owned();
        for calls in &self.calls {
            let Calls { what, instances, made, fewest } = calls;
            row(&mut table, format_args!("{what} | {instances} | {made} | {fewest} | {:.2}", calls.ratio()));
        }
        table
    }

    fn items(&self) -> String {
        if self.items.is_empty() {
            return "Not measured in this run: `make bench-items`.\n".to_owned();
        }
        let mut table = "| what | µs an item |\n|---|---:|\n".to_owned();
        for Item { name, ns } in &self.items {
            row(&mut table, format_args!("{name} | {:.2}", ns / 1_000.0));
        }
        table
    }
}

const FLOORS: &str = "In the table, *floor* is the hello-world of the runtime's documentation, and *leanest* the same with no more of the \
runtime than ours use.";

const PROCESSES: &str = "*Init* is from the start of the process to its first request for work, while nobody answers the warm-up; *with warm-up* is \
the same while both endpoints answer over TLS. *First* and *warm* are invocations after that, answered by a local AWS that takes 40 ms for each answer; memory is \
resident after the first. The *floor* is the hello-world of the documentation of the same runtime crate, built with the same profile; *leanest* is the same \
with no more of that crate than our functions use. *× floor* is the median of the ratios within each round. \
`boto3` is a small Python function under `awslambdaric` that makes the warm-up's two reads. There is no throttled CPU here: at \
128 MB, init has the whole CPU on Lambda and an invocation a fraction of it.";

const CONNECTIONS: &str = "TLS handshakes, and requests in brackets, of one process: at init, in its first invocation, in the next one, after the \
endpoints closed what was idle, the same while the process was frozen, and after they closed it without a word. No invocation \
failed, and no command was sent twice.";

const CALLS: &str = "*Fewest* is what the pages and limits of AWS's interface allow for the same work.";

const ITEMS: &str = "Medians by criterion: an instance, an event's record, a task definition.";

fn row(table: &mut String, cells: std::fmt::Arguments<'_>) {
    writeln!(table, "| {cells} |").expect("a string takes all");
}

/// Replaces the text between two markers.
///
/// # Errors
/// Names the marker that is missing.
pub fn replace_between(text: &str, begin: &str, end: &str, new: &str) -> Result<String, String> {
    let missing = |marker: &str| format!("the marker {marker} is missing");
    let (before, rest) = text.split_once(begin).ok_or_else(|| missing(begin))?;
    let (_, after) = rest.split_once(end).ok_or_else(|| missing(end))?;
    Ok(format!("{before}{begin}\n{new}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let text = "a\n<!-- b -->\nold\n<!-- /b -->\nc\n";
        let expected = "a\n<!-- b -->\nnew\n<!-- /b -->\nc\n";
        assert_eq!(replace_between(text, "<!-- b -->", "<!-- /b -->", "new\n").unwrap(), expected);
        assert!(replace_between(text, "<!-- b -->", "<!-- /x -->", "").unwrap_err().contains("/x"));
    }
}
