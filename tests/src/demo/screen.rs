//! What the demo prints: the timeline, and tables of the cluster.
//!
//! On a terminal, the cluster is redrawn below the timeline. Piped, there is a line of progress whenever nothing was
//! printed for two seconds.

use super::observations::{Entry, Observations};
use super::view::InstanceView;
use comfy_table::Table;
use console::{Style, Term, strip_ansi_codes, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use std::time::Duration;

/// Piped, a line of progress is printed after this time without another.
const SILENCE: Duration = Duration::from_secs(2);

/// What a piece of text says, rather than how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Quiet,
    Strong,
    Good,
    Busy,
    Warn,
    Bad,
    Drained,
}

impl Tone {
    /// In this tone's colour, if standard output shows colours.
    pub(super) fn paint(self, text: &str) -> String {
        let style = Style::new();
        let style = match self {
            Self::Plain => style,
            Self::Quiet => style.black().bright(),
            Self::Strong => style.bold(),
            Self::Good => style.green(),
            Self::Busy => style.cyan(),
            Self::Warn => style.yellow(),
            Self::Bad => style.red(),
            Self::Drained => style.magenta(),
        };
        style.apply_to(text).to_string()
    }
}

/// Standard output.
pub(super) struct Screen {
    /// Redrawn below the printed lines. Hidden where nothing is redrawn.
    live: ProgressBar,
    last_entry: Duration,
    /// Everything that was printed, without colours.
    pub(super) transcript: String,
}

impl Screen {
    /// Redraws and uses colours if standard output is a terminal and `plain` is not asked for.
    pub(super) fn new(options: &super::options::Options) -> Self {
        if options.plain {
            console::set_colors_enabled(false);
        }
        // It hides itself where standard output is no terminal.
        let target = if options.plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stdout() };
        let style = ProgressStyle::with_template("{msg}\n{spinner} {prefix}").expect("a valid template");
        let live = ProgressBar::with_draw_target(None, target).with_style(style);
        Self { live, last_entry: Duration::ZERO, transcript: String::new() }
    }

    /// Prints lines. As below, an error means that the output is gone.
    pub(super) fn print(&mut self, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        self.transcript += &strip_ansi_codes(&text);
        self.live.suspend(|| io::stdout().write_all(text.as_bytes()))
    }

    /// Prints a heading and what stands under it.
    pub(super) fn section(&mut self, title: &str, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
        self.print([String::new(), Tone::Strong.paint(title)])?;
        self.print(lines)
    }

    /// Prints entries of the timeline.
    pub(super) fn entries(&mut self, entries: &[Entry]) -> io::Result<()> {
        let Some(last) = entries.last() else { return Ok(()) };
        self.last_entry = last.at;
        self.print(entries.iter().map(|Entry { at, actor, tone, text }| {
            let at = Tone::Quiet.paint(&format!("{:6.1} s", at.as_secs_f64()));
            format!("{at}  {} {}", Tone::Strong.paint(&format!("{actor:<15}")), tone.paint(text))
        }))
    }

    /// Redraws the cluster. Piped, prints a line of progress if nothing was printed for long.
    pub(super) fn show(&mut self, at: Duration, seen: &Observations, waiting_for: &str) -> io::Result<()> {
        if !self.live.is_hidden() {
            let (height, width) = Term::stdout().size();
            let lines = instance_table(&seen.views);
            let fits = lines.iter().take(usize::from(height).saturating_sub(4));
            let fits: Vec<_> = fits.map(|line| truncate_str(line, width.into(), "…")).collect();
            self.live.set_message(format!("\n{}", fits.join("\n")));
            self.live.set_prefix(format!("{:.1} s  {waiting_for}", at.as_secs_f64()));
            self.live.tick();
        } else if at >= self.last_entry + SILENCE && seen.drafts.is_empty() {
            self.last_entry = at;
            let [registered, open] = seen.gates.last().map(|(_, counts)| *counts).unwrap_or_default();
            let seconds = at.as_secs_f64();
            self.print([format!("{seconds:6.1} s  … {waiting_for}: {open} gates of {registered} are open")])?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.live.finish_and_clear();
    }
}

/// Aligned columns, one line a row.
pub(super) fn text_table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(heading).add_rows(rows);
    table.column_iter_mut().for_each(|column| _ = column.set_padding((0, 2)));
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The cluster as a table. Instances that look the same share a line.
pub(super) fn instance_table(views: &[InstanceView]) -> Vec<String> {
    let mut groups: Vec<([&str; 6], Vec<&InstanceView>)> = Vec::new();
    for view in views {
        match groups.iter_mut().find(|(cells, _)| *cells == self::cells(view)) {
            Some((_, group)) => group.push(view),
            None => groups.push((cells(view), vec![view])),
        }
    }
    let rows = groups.iter().map(|(cells, group)| {
        let who =
            if let [one] = group[..] { one.id.to_string() } else { format!("{} instances", group.len()) };
        let tasks: usize = group.iter().map(|view| view.tasks).sum();
        [&[who][..], &cells.map(str::to_owned), &[tasks.to_string()]].concat()
    });
    let heading = ["INSTANCE", "KIND", "ECS", "AGENT", "SMB.G", "CONDITION", "CAUSE", "TASKS"];
    let tones = groups.iter().map(|(_, group)| group[0].condition().appearance().1);
    let tones = std::iter::once(Tone::Quiet).chain(tones);
    tones.zip(text_table(&heading, rows)).map(|(tone, line)| tone.paint(&line)).collect()
}

/// The cells between the id and the number of tasks.
fn cells(view: &InstanceView) -> [&str; 6] {
    let gate = if view.kind.is_watched() { view.gate.as_str() } else { "" };
    let condition = view.condition().appearance().0;
    [view.kind.label(), view.status, view.agent, gate, condition, view.cause().unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::super::fleet_setup::Kind;
    use super::super::view::tests::view;
    use super::*;
    use shared::state::Gate;

    #[test]
    fn instances_that_look_the_same_share_a_line() {
        let mut views: Vec<_> = (0..500).map(|n| view(&format!("i-{n:03}"), Kind::ScaleOut)).collect();
        views[250].gate = Gate::Shut;
        let lines = instance_table(&views);
        let lines: Vec<_> = lines.iter().map(|line| strip_ansi_codes(line)).collect();
        assert_eq!(
            lines,
            [
                "INSTANCE       KIND       ECS     AGENT   SMB.G   CONDITION  CAUSE  TASKS",
                "499 instances  scale-out  ACTIVE  Online  mapped  mapped            499",
                "i-250          scale-out  ACTIVE  Online  shut    no state          1",
            ]
        );
    }
}
