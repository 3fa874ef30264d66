//! The cluster as text: the table, the strip of lights, the legend. Pure.

use super::frame::{Frame, LIGHTS, Light, Row};
use super::ink::{Line, Tone};

const HEADINGS: [&str; 8] = ["INSTANCE", "WHO", "ECS", "AGENT", "GATE", "STATE", "CAUSE", "TASKS"];

/// The table in at most `limit` lines, heading included. Where there are more instances than that, those that look the
/// same share a line, and the lines that say most come first.
pub fn table(rows: &[Row], limit: usize) -> Vec<Line> {
    let groups = fold(rows, limit.saturating_sub(1));
    let cells: Vec<[String; 8]> = groups.iter().map(|group| cells(group)).collect();
    let mut widths = HEADINGS.map(|heading| heading.chars().count());
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut lines = vec![row_line(&HEADINGS.map(str::to_owned), &widths, [Tone::Quiet; 8])];
    let shown = if cells.len() < limit { cells.len() } else { limit.saturating_sub(2) };
    for (group, row) in groups.iter().zip(&cells).take(shown) {
        lines.push(row_line(row, &widths, tones(group[0])));
    }
    if shown < cells.len() {
        lines.push(Line::new().then(Tone::Quiet, format!("… and {} lines more", cells.len() - shown)));
    }
    lines
}

fn row_line(cells: &[String; 8], widths: &[usize; 8], tones: [Tone; 8]) -> Line {
    let mut line = Line::new();
    for ((cell, width), tone) in cells.iter().zip(widths).zip(tones) {
        line.push(tone, format!("{cell:<width$}"));
        line.push(Tone::Plain, "  ");
    }
    line
}

fn fold(rows: &[Row], limit: usize) -> Vec<Vec<&Row>> {
    if rows.len() <= limit {
        return rows.iter().map(|row| vec![row]).collect();
    }
    let same = |a: &Row, b: &Row| {
        (&a.who, &a.status, a.agent, a.gate_open, &a.state, &a.cause, a.light)
            == (&b.who, &b.status, b.agent, b.gate_open, &b.state, &b.cause, b.light)
    };
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|group| same(group[0], row)) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

fn cells(group: &[&Row]) -> [String; 8] {
    let row = group[0];
    let id = match group.len() {
        1 => row.id.clone(),
        more => format!("{} +{}", row.id, more - 1),
    };
    let tasks: usize = group.iter().map(|row| row.tasks).sum();
    let gate = match row.light {
        Light::NotOurs | Light::Absent => "",
        _ if row.gate_open => "open",
        _ => "shut",
    };
    [
        id,
        row.who.clone(),
        row.status.clone(),
        row.agent.to_owned(),
        gate.to_owned(),
        row.state.clone(),
        row.cause.clone(),
        if tasks == 0 { String::new() } else { tasks.to_string() },
    ]
}

fn tones(row: &Row) -> [Tone; 8] {
    let quiet = matches!(row.light, Light::NotOurs | Light::Absent);
    let base = if quiet { Tone::Quiet } else { Tone::Plain };
    let status = if row.status == "DRAINING" { Tone::Drained } else { base };
    let agent = if row.agent == "online" || quiet { base } else { Tone::Warn };
    let gate = if row.gate_open { Tone::Good } else { Tone::Bad };
    [base, if quiet { base } else { Tone::Quiet }, status, agent, gate, row.light.tone(), Tone::Bad, base]
}

/// One glyph an instance, in lines of at most `width` columns.
pub fn strip(frame: &Frame, width: usize) -> Vec<Line> {
    // Room between the glyphs while they fit into four lines.
    let gap = if frame.rows.len() * 2 <= width * 4 { " " } else { "" };
    let per_line = (width / (1 + gap.len())).max(1);
    frame
        .rows
        .chunks(per_line)
        .map(|rows| {
            rows.iter().fold(Line::new(), |line, row| {
                line.then(row.light.tone(), row.light.glyph().to_string()).then(Tone::Plain, gap)
            })
        })
        .collect()
}

/// What the glyphs mean and how many there are of each; lights that nobody shows are left out.
pub fn legend(frame: &Frame) -> Line {
    let mut line = Line::new();
    for light in LIGHTS {
        let count = frame.count(light);
        if count > 0 {
            line.push(light.tone(), light.glyph().to_string());
            line.push(Tone::Plain, format!(" {count} "));
            line.push(Tone::Quiet, format!("{}   ", light.label()));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: usize, light: Light) -> Row {
        let open = light == Light::Open;
        Row {
            id: format!("i-{n:03}"),
            who: "scale-out".to_owned(),
            status: "ACTIVE".to_owned(),
            agent: "online",
            gate_open: open,
            state: if open { "mapped" } else { "unmapped, 1 attempt" }.to_owned(),
            cause: if open { "" } else { "drive-in-use" }.to_owned(),
            tasks: usize::from(open),
            light,
        }
    }

    fn text(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.render(120, false)).collect()
    }

    #[test]
    fn a_table_that_fits_has_one_line_an_instance() {
        let rows = [row(1, Light::Open), row(2, Light::Shut)];
        assert_eq!(
            text(&table(&rows, 3)),
            [
                "INSTANCE  WHO        ECS     AGENT   GATE  STATE                CAUSE         TASKS",
                "i-001     scale-out  ACTIVE  online  open  mapped                             1",
                "i-002     scale-out  ACTIVE  online  shut  unmapped, 1 attempt  drive-in-use",
            ]
        );
    }

    #[test]
    fn instances_that_look_the_same_share_a_line_where_there_are_too_many() {
        let mut rows: Vec<Row> = (0..500).map(|n| row(n, Light::Open)).collect();
        rows[250] = row(250, Light::Shut);
        let lines = text(&table(&rows, 60));
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("i-000 +498  "), "{}", lines[1]);
        assert!(lines[1].ends_with("  499"), "tasks are added up: {}", lines[1]);
        assert!(lines[2].starts_with("i-250  "), "{}", lines[2]);
    }

    #[test]
    fn a_table_never_grows_beyond_its_limit() {
        let rows: Vec<Row> = (0..30).map(|n| Row { cause: format!("c{n}"), ..row(n, Light::Shut) }).collect();
        for limit in [3, 10, 30, 31] {
            let lines = text(&table(&rows, limit));
            assert!(lines.len() <= limit, "{} > {limit}", lines.len());
        }
        assert_eq!(text(&table(&rows, 10)).last().map(String::as_str), Some("… and 22 lines more"));
    }

    #[test]
    fn the_strip_wraps_and_the_legend_counts() {
        let rows: Vec<Row> = (0..7).map(|n| row(n, if n == 3 { Light::Shut } else { Light::Open })).collect();
        let frame = Frame { rows, ..Frame::default() };
        assert_eq!(text(&strip(&frame, 8)), ["● ● ● ✗", "● ● ●"]);
        assert_eq!(legend(&frame).render(80, false), "● 6 gate open   ✗ 1 not mapped");
    }
}
