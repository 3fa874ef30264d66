//! `report.html`, a page that needs no other file, and `timeline.svg`, its chart.

use super::check::Check;
use super::observations::Observations;
use super::view::Condition;
use crate::chart::{Chart, Lane, Series, Span, draw, escape};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the report is made of.
pub(super) struct Report<'a> {
    pub(super) length: Duration,
    /// When each phase began, and its title.
    pub(super) phases: &'a [(Duration, String)],
    pub(super) seen: &'a Observations,
    pub(super) checks: &'a [Check],
    /// What was printed.
    pub(super) transcript: &'a str,
}

impl Report<'_> {
    /// Writes both files into `directory`, which is made if it is missing, and returns the page's path.
    pub(super) fn write(&self, directory: &Path) -> io::Result<PathBuf> {
        std::fs::create_dir_all(directory)?;
        let svg = draw(&self.chart());
        let page = directory.join("report.html");
        std::fs::write(&page, self.page(&svg))?;
        std::fs::write(directory.join("timeline.svg"), svg)?;
        Ok(page)
    }

    fn page(&self, svg: &str) -> String {
        let verdict =
            if self.checks.iter().all(|check| check.wrong.is_none()) { "succeeded" } else { "failed" };
        let (count, length) = (self.seen.instances.len(), self.length.as_secs_f64());
        let transcript = escape(self.transcript);
        format!(
            r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ecs-smb-mapper: a run</title>
<style>
body {{ max-width: 1200px; margin: 24px auto; font: 15px/1.5 system-ui, sans-serif; color: #28323f; }}
.succeeded {{ color: #1f8a5b; }} .failed {{ color: #cf4436; }} pre {{ font-size: 12px; }}
</style></head>
<body><h1>ecs-smb-mapper: a run, <span class="{verdict}">{verdict}</span></h1>
<p>{count} instances, {length:.1} s</p>
{svg}<h2>What was printed</h2>
<pre>{transcript}</pre>
</body></html>
"#
        )
    }

    fn chart(&self) -> Chart<'_> {
        let seen: BTreeSet<_> = self.seen.conditions.iter().flatten().map(|(_, one)| *one).collect();
        let legend = seen.into_iter().filter(|one| *one != Condition::NotRegistered);
        let legend = legend.map(|one| (one.appearance().2, one.appearance().0.to_owned()));
        let watched = self.seen.views.iter().filter(|view| view.kind.is_watched()).count().max(1);
        let series = |n: usize, colour| {
            let steps = self.seen.gates.iter().map(|(at, counts)| (*at, counts[n] as f64 / watched as f64));
            Series { colour, steps: steps.collect() }
        };
        Chart {
            title: "Registered (grey) and mapped (green), of all Windows container instances",
            length: self.length,
            marks: self.phases,
            legend: legend.collect(),
            lanes: (0..self.seen.views.len()).map(|n| self.lane(n)).collect(),
            series: vec![series(0, "#8a94a3"), series(1, Condition::Mapped.appearance().2)],
        }
    }

    fn lane(&self, n: usize) -> Lane {
        let (view, conditions) = (&self.seen.views[n], &self.seen.conditions[n]);
        let kind = view.kind.label();
        let ends = conditions.iter().skip(1).map(|(at, _)| *at).chain([self.length]);
        let spans = conditions.iter().zip(ends).map(|(&(from, condition), to)| {
            let (label, _, colour) = condition.appearance();
            Span { from, to, colour, title: format!("{} ({kind}): {label}", view.id) }
        });
        // The end of an id tells instances apart.
        let tail = view.id.get(view.id.len().saturating_sub(6)..).unwrap_or(&view.id);
        Lane { label: format!("…{tail} {kind}"), spans: spans.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fleet_setup::Kind;
    use super::super::view::tests::view;
    use super::*;

    #[test]
    fn the_page_shows_the_run_and_escapes_what_others_wrote() {
        let seconds = Duration::from_secs;
        let seen = Observations {
            views: vec![view("i-1", Kind::ScaleOut)],
            conditions: vec![vec![(seconds(2), Condition::NoState), (seconds(4), Condition::Mapped)]],
            gates: vec![(seconds(2), [1, 0]), (seconds(4), [1, 1])],
            ..Observations::default()
        };
        let checks = [Check { text: "all mapped".to_owned(), wrong: Some("2 are <not>".to_owned()) }];
        let transcript = "one command & more";
        let report = Report { length: seconds(10), phases: &[], seen: &seen, checks: &checks, transcript };
        let directory = tempfile::tempdir().unwrap();
        let page = std::fs::read_to_string(report.write(&directory.path().join("new")).unwrap()).unwrap();
        let svg = std::fs::read_to_string(directory.path().join("new/timeline.svg")).unwrap();
        assert!(page.contains(&svg) && svg.contains("<title>i-1 (scale-out): mapped</title>"), "{svg}");
        for expected in ["failed</span>", "one command &amp; more"] {
            assert!(page.contains(expected), "{expected} is not in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("http://localhost") && !page.contains("src="));
    }
}
