//! Lines of text with a tone, and how a terminal shows them.
//!
//! Knows the sixteen ANSI colours only, so that every terminal theme keeps its contrast.

use std::fmt::Write as _;

/// What a piece of text is, rather than how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// Less important.
    Quiet,
    /// A heading.
    Strong,
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// May pass.
    Warn,
    /// Wrong.
    Bad,
    /// Drained.
    Drained,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Quiet => "90",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Busy => "36",
            Self::Warn => "33",
            Self::Bad => "31",
            Self::Drained => "35",
        }
    }
}

/// A line: pieces with a tone each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(Vec<(Tone, String)>);

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more piece.
    pub fn then(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.push(tone, text);
        self
    }

    /// Adds a piece.
    pub fn push(&mut self, tone: Tone, text: impl Into<String>) {
        self.0.push((tone, text.into()));
    }

    /// How many columns it takes; every character of ours takes one.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// For a terminal of `width` columns (longer lines end with `…`), with or without colour.
    pub fn render(&self, width: usize, colour: bool) -> String {
        let mut left = if self.width() > width { width.saturating_sub(1) } else { width };
        let cut = self.width() > width;
        let mut out = String::new();
        for (tone, text) in &self.0 {
            let text: String = text.chars().take(left).collect();
            left -= text.chars().count();
            if text.is_empty() {
                continue;
            }
            match tone.code() {
                code if colour && !code.is_empty() => {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\x1b[{code}m{text}\x1b[0m");
                }
                _ => out.push_str(&text),
            }
        }
        if cut {
            out.push('…');
        }
        out.truncate(out.trim_end_matches(' ').len());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_what_is_seen_and_coloured_only_where_asked() {
        let line = Line::new().then(Tone::Good, "open").then(Tone::Plain, " for ").then(Tone::Bad, "tasks");
        assert_eq!(line.width(), 14);
        assert_eq!(line.render(80, false), "open for tasks");
        assert_eq!(line.render(80, true), "\x1b[32mopen\x1b[0m for \x1b[31mtasks\x1b[0m");
        assert_eq!(line.render(14, false), "open for tasks");
        assert_eq!(line.render(13, false), "open for tas…");
        assert_eq!(line.render(3, true), "\x1b[32mop\x1b[0m…");
    }
}
