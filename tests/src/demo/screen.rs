//! What the person who runs the demo sees: the timeline scrolls by, the cluster is redrawn in place below it.
//!
//! Piped, or on a terminal that is too small, nothing is redrawn: the timeline, a word of progress whenever nothing else was
//! said for two seconds, and a table after each act.

use super::frame::{Entry, Frame};
use super::ink::{Line, Tone};
use super::table;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Longest line where nobody says how wide the output is.
const PLAIN_WIDTH: usize = 160;
/// Piped, so long nothing may be said.
const SILENCE: Duration = Duration::from_secs(2);
/// Where a terminal has fewer lines than this, nothing is redrawn.
const MIN_HEIGHT: usize = 16;

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
/// A terminal that knows it shows everything in between at once, without flicker; others ignore it.
const BEGIN_UPDATE: &str = "\x1b[?2026h";
const END_UPDATE: &str = "\x1b[?2026l";

/// Where output goes.
pub struct Screen<W: Write> {
    out: W,
    /// Width and height of the terminal, asked before each redraw; `None`: nothing is redrawn.
    size: Option<fn() -> (usize, usize)>,
    colour: bool,
    /// Lines of the block that is redrawn, as it stands on the terminal.
    drawn: usize,
    /// Printed, but not yet on the terminal: it goes out with the next redraw.
    pending: Vec<Line>,
    last_said: Duration,
}

impl Screen<io::Stdout> {
    /// Standard output; redrawn and coloured where that is a terminal and `plain` was not asked for.
    pub fn stdout(plain: bool) -> Self {
        let out = io::stdout();
        let live = !plain && out.is_terminal() && terminal_size().1 >= MIN_HEIGHT;
        #[expect(
            clippy::disallowed_methods,
            reason = "https://no-color.org: an edge like the terminal itself"
        )]
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = !plain && out.is_terminal() && !no_color;
        Self::new(out, live.then_some(terminal_size as fn() -> (usize, usize)), colour)
    }
}

fn terminal_size() -> (usize, usize) {
    let (width, height) =
        terminal_size::terminal_size().map_or((100, 30), |(width, height)| (width.0, height.0));
    (usize::from(width), usize::from(height))
}

impl<W: Write> Screen<W> {
    /// Any output. `size`: redraws, within width and height.
    pub fn new(mut out: W, size: Option<fn() -> (usize, usize)>, colour: bool) -> Self {
        if size.is_some() {
            // A terminal that went away is found by the first redraw.
            let _ = out.write_all(HIDE_CURSOR.as_bytes());
        }
        Self { out, size, colour, drawn: 0, pending: Vec::new(), last_said: Duration::ZERO }
    }

    /// A line that stays.
    pub fn line(&mut self, line: Line) {
        self.pending.push(line);
    }

    /// A heading that stays, with a sentence or two under it.
    pub fn heading(&mut self, title: &str, text: &str) {
        self.line(Line::new());
        self.line(Line::new().then(Tone::Strong, title));
        for line in wrap(text, 100) {
            self.line(Line::new().then(Tone::Quiet, line));
        }
    }

    /// A line of the timeline.
    pub fn entry(&mut self, entry: &Entry) {
        let at = format!("{:6.1} s  ", entry.at.as_secs_f64());
        let indent = at.chars().count() + 16;
        let width = self.width().saturating_sub(indent).max(20);
        for (n, text) in wrap(&entry.text, width).into_iter().enumerate() {
            let line = if n == 0 {
                Line::new()
                    .then(Tone::Quiet, at.clone())
                    .then(Tone::Strong, format!("{:<16}", entry.actor.label()))
            } else {
                Line::new().then(Tone::Plain, " ".repeat(indent))
            };
            self.line(line.then(entry.tone, text));
        }
        self.last_said = self.last_said.max(entry.at);
    }

    /// The table, to stay; a cluster that takes more than `limit` lines is folded.
    pub fn table(&mut self, frame: &Frame, limit: usize) {
        self.line(Line::new());
        table::table(&frame.rows, limit).into_iter().for_each(|line| self.line(line));
        self.line(Line::new());
        self.line(table::legend(frame));
    }

    /// Shows what happened since the last call, and the cluster as it stands. Piped, progress is not told while more of
    /// the timeline is about to come.
    ///
    /// # Errors
    /// When the output is gone.
    pub fn show(&mut self, frame: &Frame, more_to_come: bool) -> io::Result<()> {
        match self.size {
            Some(size) => {
                let (width, height) = size();
                let block = live_block(frame, width, height);
                self.redraw(&block, width)
            }
            None => {
                if frame.elapsed >= self.last_said + SILENCE && self.pending.is_empty() && !more_to_come {
                    self.last_said = frame.elapsed;
                    let legend = table::legend(frame).render(PLAIN_WIDTH, false);
                    let text =
                        format!("{:6.1} s  … {}: {legend}", frame.elapsed.as_secs_f64(), frame.waiting_for);
                    self.line(Line::new().then(Tone::Quiet, text));
                }
                self.flush()
            }
        }
    }

    /// Takes the redrawn block away and puts out what is left to say.
    ///
    /// # Errors
    /// When the output is gone.
    pub fn flush(&mut self) -> io::Result<()> {
        let width = self.width();
        self.redraw(&[], width)
    }

    fn width(&self) -> usize {
        self.size.map_or(PLAIN_WIDTH, |size| size().0)
    }

    fn redraw(&mut self, block: &[Line], width: usize) -> io::Result<()> {
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A\r\x1b[J", self.drawn));
        }
        for line in self.pending.drain(..).chain(block.iter().cloned()) {
            text.push_str(&line.render(width, self.colour));
            text.push('\n');
        }
        self.drawn = block.len();
        if text.is_empty() {
            return Ok(());
        }
        if self.size.is_some() {
            text = format!("{BEGIN_UPDATE}{text}{END_UPDATE}");
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        let _ = self.flush();
        if self.size.is_some() {
            let _ = self.out.write_all(SHOW_CURSOR.as_bytes());
            let _ = self.out.flush();
        }
    }
}

/// The block that is redrawn: at most three quarters of the terminal, so that the timeline keeps scrolling above it.
fn live_block(frame: &Frame, width: usize, height: usize) -> Vec<Line> {
    let limit = height * 3 / 4;
    let title = format!("── {} ", frame.act);
    let elapsed = format!(" {:.1} s ──", frame.elapsed.as_secs_f64());
    let rule = width.saturating_sub(title.chars().count() + elapsed.chars().count());
    let mut block = vec![
        Line::new(),
        Line::new().then(Tone::Strong, title).then(Tone::Quiet, "─".repeat(rule)).then(Tone::Strong, elapsed),
    ];
    block.extend(table::strip(frame, width));
    block.push(table::legend(frame));
    block.push(calls_line(frame));
    block.push(
        Line::new().then(Tone::Busy, spinner(frame.elapsed)).then(Tone::Quiet, frame.waiting_for.clone()),
    );
    if block.len() + 4 <= limit {
        block.push(Line::new());
        let left = limit - block.len();
        block.extend(table::table(&frame.rows, left));
    }
    block
}

fn calls_line(frame: &Frame) -> Line {
    let calls: Vec<String> =
        frame.calls_by_caller().into_iter().map(|(caller, count)| format!("{caller} {count}")).collect();
    let calls = if calls.is_empty() { "none yet".to_owned() } else { calls.join(" · ") };
    Line::new().then(Tone::Quiet, format!("AWS calls: {calls}"))
}

fn spinner(elapsed: Duration) -> String {
    let phases = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
    let phase = usize::try_from(elapsed.as_millis() / 100).unwrap_or_default() % phases.len();
    format!("{} ", phases[phase])
}

/// Breaks a text between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Actor, Light, Row};
    use super::*;

    fn frame(instances: usize, elapsed_ms: u64) -> Frame {
        let row = Row {
            id: "i-1".to_owned(),
            who: "scale-out".to_owned(),
            status: "ACTIVE".to_owned(),
            agent: "online",
            gate_open: true,
            state: "mapped".to_owned(),
            cause: String::new(),
            tasks: 0,
            light: Light::Open,
        };
        Frame {
            elapsed: Duration::from_millis(elapsed_ms),
            act: "1 of 4: first deployment".to_owned(),
            waiting_for: "gates".to_owned(),
            rows: vec![row; instances],
            calls: [(("map-share".to_owned(), "SendCommand".to_owned()), Default::default())].into(),
        }
    }

    fn entry(at_ms: u64) -> Entry {
        Entry {
            at: Duration::from_millis(at_ms),
            actor: Actor::MapShare,
            tone: Tone::Good,
            text: "one command".to_owned(),
        }
    }

    fn shown(
        size: Option<fn() -> (usize, usize)>,
        colour: bool,
        act: impl FnOnce(&mut Screen<&mut Vec<u8>>),
    ) -> String {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, size, colour);
        act(&mut screen);
        drop(screen);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn piped_output_has_no_escape_and_speaks_up_after_two_seconds() {
        let text = shown(None, false, |screen| {
            screen.entry(&entry(500));
            for at in [600, 2400, 2550, 2600, 2700] {
                screen.show(&frame(1, at), at == 2550).unwrap();
            }
        });
        assert_eq!(text, "   0.5 s  map-share       one command\n   2.6 s  … gates: ● 1 gate open\n");
    }

    #[test]
    fn a_terminal_is_redrawn_in_place_and_gets_its_cursor_back() {
        let text = shown(Some(|| (80, 40)), true, |screen| {
            screen.show(&frame(3, 100), false).unwrap();
            screen.entry(&entry(150));
            screen.show(&frame(3, 200), false).unwrap();
        });
        // Blank, rule, strip, legend, calls, progress, blank, heading, three rows.
        assert_eq!(
            text.matches("\x1b[11A\r\x1b[J").count(),
            2,
            "once for the redraw, once at the end: {text:?}"
        );
        assert!(text.starts_with(HIDE_CURSOR) && text.ends_with(SHOW_CURSOR));
        assert_eq!(text.matches("one command").count(), 1);
    }

    #[test]
    fn the_redrawn_block_fits_every_terminal() {
        for instances in [5, 40, 500] {
            for (width, height) in [(80, 24), (100, 40), (200, 60)] {
                let mut frame = frame(instances, 1000);
                for (n, row) in frame.rows.iter_mut().enumerate() {
                    row.cause = format!("cause-{n}");
                }
                let lines = live_block(&frame, width, height).len();
                assert!(lines < height, "{instances} instances on {width}x{height}: {lines} lines");
            }
        }
    }

    #[test]
    fn long_texts_are_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), Vec::<String>::new());
    }
}
