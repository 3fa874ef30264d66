//! The report of a run: one HTML file that needs nothing else, and its chart as an SVG file for a slide.

use super::chart::{chart, escape};
use super::frame::CallCounts;
use super::ink::Tone;
use super::story::Story;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Writes `report.html` and `timeline.svg` into `directory`, which is made where it is missing; says where the page is.
///
/// # Errors
/// When the directory cannot be made or written to.
pub fn write(story: &Story, directory: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(directory)?;
    let svg = chart(story);
    let page = directory.join("report.html");
    std::fs::write(directory.join("timeline.svg"), &svg)?;
    std::fs::write(&page, html(story, &svg))?;
    Ok(page)
}

fn html(story: &Story, svg: &str) -> String {
    let (class, verdict) = if story.succeeded() {
        ("reached", "ended as it had to")
    } else {
        ("missed", "did not end as it had to")
    };
    let sections = [
        section("The run", &format!(r#"<div class="card chart">{svg}</div>"#)),
        section("What it had to reach", &checks(story)),
        section("By hand, and as it was done", &by_hand(story)),
        section("The cluster at the end", &cluster(story)),
        section("Task definitions", &validations(story)),
        section("AWS calls", &calls(story)),
        section("Timeline", &timeline(story)),
    ]
    .concat();
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>ecs-smb-mapper: a run</title><style>{style}</style></head>
<body><header><div><h1>ecs-smb-mapper: one run, from scale-out to G:</h1><p>{setting} · {length:.1} s</p>
<span class="verdict {class}">{verdict}</span></div></header>
<main><div class="figures">{figures}</div>{sections}</main></body></html>
"#,
        style = include_str!("report.css"),
        setting = escape(&story.setting),
        length = story.length.as_secs_f64(),
        figures = figures(story),
    )
}

fn section(title: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("<h2>{title}</h2>\n{body}\n") }
}

fn figures(story: &Story) -> String {
    let figure = |value: &str, label: &str| {
        format!(r#"<div class="figure"><b>{}</b><span>{}</span></div>"#, escape(value), escape(label))
    };
    story.figures.iter().map(|one| figure(&one.value, &one.label)).collect()
}

/// A table out of headings and rows of finished cells; headings that start with `#` are numbers.
fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let class = |heading: &str| if heading.starts_with('#') { r#" class="n""# } else { "" };
    let mut out = String::from(r#"<div class="card"><table><tr>"#);
    for heading in headings {
        // Writing to a string cannot fail.
        let _ = write!(out, "<th{}>{}</th>", class(heading), heading.trim_start_matches('#'));
    }
    out.push_str("</tr>");
    for row in rows {
        out.push_str("<tr>");
        for (heading, cell) in headings.iter().zip(row) {
            let _ = write!(out, "<td{}>{cell}</td>", class(heading));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div>");
    out
}

fn checks(story: &Story) -> String {
    table(
        &["", "must hold", "found"],
        story.checks.iter().map(|check| {
            let mark = if check.missed.is_none() {
                r#"<span class="ok">✓</span>"#
            } else {
                r#"<span class="no">✗</span>"#
            };
            vec![
                mark.to_owned(),
                escape(&check.text),
                escape(check.missed.as_deref().unwrap_or("as it must be")),
            ]
        }),
    )
}

fn by_hand(story: &Story) -> String {
    let total: usize = story.by_hand.iter().map(|chore| chore.steps).sum();
    let rows = story
        .by_hand
        .iter()
        .map(|chore| vec![escape(&chore.what), chore.steps.to_string(), escape(&chore.instead)]);
    let last = vec!["<b>together</b>".to_owned(), format!("<b>{total}</b>"), String::new()];
    table(&["what has to be done", "#steps by hand", "how it was done"], rows.chain([last]))
}

fn cluster(story: &Story) -> String {
    let rows = story.lanes.iter().map(|lane| {
        let row = &lane.last;
        let colour = row.light.colour();
        let light = format!(r#"<span class="dot" style="background:{colour}"></span>{}"#, row.light.label());
        let tasks = if row.tasks == 0 { String::new() } else { row.tasks.to_string() };
        let cells = [&row.who, &row.status, row.agent, &row.state, &row.cause].map(escape);
        let [who, status, agent, state, cause] = cells;
        vec![format!("<code>{}</code>", escape(&row.id)), who, status, agent, light, state, cause, tasks]
    });
    let headings = ["instance", "who", "ECS", "SSM agent", "gate", "state", "cause", "#tasks"];
    fold_away(story.lanes.len(), "instances", table(&headings, rows))
}

fn validations(story: &Story) -> String {
    if story.validations.is_empty() {
        return String::new();
    }
    let rows = story.validations.iter().flat_map(|validation| {
        let verdict = if validation.valid {
            r#"<span class="ok">valid</span>"#
        } else {
            r#"<span class="no">not valid</span>"#
        };
        let findings: Vec<[String; 4]> = if validation.findings.is_empty() {
            vec![[String::new(), "nothing found".to_owned(), String::new(), String::new()]]
        } else {
            validation.findings.clone()
        };
        findings.into_iter().enumerate().map(move |(n, finding)| {
            let [level, rule, place, message] = finding.map(|text| escape(&text));
            let (family, verdict) = match n {
                0 => (format!("<code>{}</code>", escape(&validation.family)), verdict.to_owned()),
                _ => Default::default(),
            };
            vec![family, verdict, level, rule, format!("<code>{place}</code>"), message]
        })
    });
    table(&["family", "", "level", "rule", "where", "what"], rows)
}

fn calls(story: &Story) -> String {
    let mut counts = CallCounts::new();
    for call in &story.calls {
        let count = counts.entry((call.caller.clone(), call.operation.clone())).or_default();
        count.made += 1;
        count.refused += usize::from(call.refused);
    }
    table(
        &["by", "operation", "#calls", "#answered with an error"],
        counts.into_iter().map(|((caller, operation), count)| {
            vec![escape(&caller), escape(&operation), count.made.to_string(), count.refused.to_string()]
        }),
    )
}

fn timeline(story: &Story) -> String {
    let rows = story.entries.iter().map(|entry| {
        let class = match entry.tone {
            Tone::Good => "ok",
            Tone::Bad => "no",
            Tone::Warn => "warn",
            Tone::Busy => "busy",
            Tone::Drained => "drained",
            Tone::Quiet => "quiet",
            Tone::Plain | Tone::Strong => "",
        };
        vec![
            format!("{:.1}", entry.at.as_secs_f64()),
            entry.actor.label().to_owned(),
            format!(r#"<span class="{class}">{}</span>"#, escape(&entry.text)),
        ]
    });
    fold_away(story.entries.len(), "entries", table(&["#s", "who", "what"], rows))
}

/// Long tables open on a click.
fn fold_away(count: usize, what: &str, table: String) -> String {
    if count <= 60 { table } else { format!("<details><summary>{count} {what}</summary>{table}</details>") }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Actor, Entry};
    use super::super::story::{CallMark, Check, Chore, Validation};
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_page_says_what_happened_and_escapes_what_others_wrote() {
        let call = |refused| CallMark {
            at: Duration::ZERO,
            caller: "map-share".to_owned(),
            operation: "SendCommand".to_owned(),
            refused,
        };
        let story = Story {
            checks: vec![Check { text: "all mapped".to_owned(), missed: Some("2 are <not>".to_owned()) }],
            by_hand: vec![
                Chore { what: "look".to_owned(), steps: 34, instead: "read".to_owned() },
                Chore { what: "send".to_owned(), steps: 2, instead: "sent".to_owned() },
            ],
            calls: vec![call(false), call(true)],
            entries: vec![Entry {
                at: Duration::from_millis(1500),
                actor: Actor::MapShare,
                tone: Tone::Good,
                text: "one command".to_owned(),
            }],
            validations: vec![Validation {
                family: "orders".to_owned(),
                valid: false,
                findings: vec![[
                    "error".into(),
                    "TD004 unc-source-path".into(),
                    "/volumes/0".into(),
                    r"\\fs".into(),
                ]],
            }],
            ..Story::default()
        };
        let directory = tempfile::tempdir().unwrap();
        let path = write(&story, &directory.path().join("new")).unwrap();
        let page = std::fs::read_to_string(path).unwrap();
        for expected in [
            r#"<span class="verdict missed">did not end as it had to</span>"#,
            "<td>2 are &lt;not&gt;</td>",
            r#"<td class="n"><b>36</b></td>"#,
            r#"<td>map-share</td><td>SendCommand</td><td class="n">2</td><td class="n">1</td>"#,
            r#"<td class="n">1.5</td><td>map-share</td><td><span class="ok">one command</span></td>"#,
            "<td>TD004 unc-source-path</td><td><code>/volumes/0</code></td>",
            "<svg xmlns=",
        ] {
            assert!(page.contains(expected), "{expected} is not in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("http://localhost") && !page.contains("src="));
        let svg = std::fs::read_to_string(directory.path().join("new/timeline.svg")).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
