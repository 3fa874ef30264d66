//! Charts over time as SVG, for the demo's report and the scale study. Pure.

use std::fmt::Write as _;
use std::time::Duration;

const WIDTH: f64 = 1200.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
/// Left margin with and without labels of lanes.
const LEFT: (f64, f64) = (230.0, 60.0);
/// Height of the plot of shares with and without lanes above it.
const PLOT: (f64, f64) = (110.0, 360.0);
/// All lanes together; a lane alone takes at most [`LANE`].
const LANES: f64 = 760.0;
const LANE: f64 = 17.0;
/// Lower lanes have no labels.
const READABLE: f64 = 12.0;
/// Labels of the time axis, at most.
const TICKS: u64 = 14;

/// Lanes of coloured spans, and below them shares between 0 and 1.
pub struct Chart<'a> {
    /// Of the plot of shares.
    pub title: &'a str,
    /// From the left to the right end.
    pub length: Duration,
    /// Vertical lines with a label.
    pub marks: &'a [(Duration, String)],
    /// Colours and what they mean.
    pub legend: Vec<(&'static str, String)>,
    /// From top to bottom.
    pub lanes: Vec<Lane>,
    /// Over one another.
    pub series: Vec<Series>,
}

/// One row of spans.
pub struct Lane {
    /// Shown at its left end, if there is room.
    pub label: String,
    /// In their order.
    pub spans: Vec<Span>,
}

/// A bar in a lane.
pub struct Span {
    /// Its left end.
    pub from: Duration,
    /// Its right end.
    pub to: Duration,
    /// Its colour.
    pub colour: &'static str,
    /// Shown when the pointer is on it.
    pub title: String,
}

/// A line with steps.
pub struct Series {
    /// Its colour.
    pub colour: &'static str,
    /// From this time on, this share. It is 0 before the first one.
    pub steps: Vec<(Duration, f64)>,
}

/// The chart as an SVG file.
pub fn draw(chart: &Chart<'_>) -> String {
    let has_lanes = !chart.lanes.is_empty();
    let (left, plot) = if has_lanes { (LEFT.0, PLOT.0) } else { (LEFT.1, PLOT.1) };
    let lane = (LANES / chart.lanes.len().max(1) as f64).min(LANE);
    let plot_top = TOP + lane * chart.lanes.len() as f64 + if has_lanes { 46.0 } else { 0.0 };
    let bottom = plot_top + plot;
    let height = bottom + 40.0;
    let x = |at: Duration| {
        let share = at.as_secs_f64() / chart.length.as_secs_f64().max(0.001);
        left + (WIDTH - left - RIGHT) * share.min(1.0)
    };
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" font-family="system-ui, sans-serif" font-size="12" fill="#28323f"><rect width="{WIDTH}" height="{height:.0}" fill="#ffffff"/>"##
    );
    svg.push('\n');
    draw_legend(&mut svg, left, &chart.legend);
    for (at, label) in chart.marks {
        let x = x(*at);
        put(
            &mut svg,
            format_args!(r##"<line x1="{x:.1}" x2="{x:.1}" y1="44" y2="{bottom:.1}" stroke="#c4ccd6"/>"##),
        );
        let (x, anchor) = if x < WIDTH * 0.85 { (x + 5.0, "start") } else { (x - 5.0, "end") };
        text(&mut svg, (x, 54.0), anchor, label);
    }
    for (n, Lane { label, spans }) in chart.lanes.iter().enumerate() {
        let (y, height) = (TOP + lane * n as f64, if lane > 6.0 { lane - 3.0 } else { lane });
        if lane > READABLE {
            text(&mut svg, (12.0, y + height - 2.5), "start", label);
        }
        for Span { from, to, colour, title } in spans {
            let (start, width, title) = (x(*from), (x(*to) - x(*from)).max(0.6), escape(title));
            put(
                &mut svg,
                format_args!(
                    r#"<rect x="{start:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"><title>{title}</title></rect>"#
                ),
            );
        }
    }
    text(&mut svg, (left, plot_top - 8.0), "start", chart.title);
    for percent in [0, 50, 100] {
        let (y, right) = (bottom - plot * f64::from(percent) / 100.0, WIDTH - RIGHT);
        put(
            &mut svg,
            format_args!(r##"<line x1="{left}" x2="{right}" y1="{y:.1}" y2="{y:.1}" stroke="#dde4ec"/>"##),
        );
        text(&mut svg, (left - 8.0, y + 4.0), "end", &format!("{percent} %"));
    }
    for Series { colour, steps } in &chart.series {
        let mut path = format!("M{:.1} {bottom:.1}", x(Duration::ZERO));
        for (n, (at, share)) in steps.iter().enumerate() {
            // Of several steps at one time the last one counts.
            if steps.get(n + 1).is_none_or(|(next, _)| next != at) {
                let _ = write!(path, "H{:.1}V{:.1}", x(*at), bottom - plot * share);
            }
        }
        let end = x(chart.length);
        put(
            &mut svg,
            format_args!(r#"<path d="{path}H{end:.1}" fill="none" stroke="{colour}" stroke-width="2"/>"#),
        );
    }
    draw_ticks(&mut svg, chart.length, |at| (x(at), bottom + 20.0));
    svg + "</svg>\n"
}

fn draw_legend(svg: &mut String, left: f64, legend: &[(&'static str, String)]) {
    let mut x = left;
    for (colour, label) in legend {
        put(svg, format_args!(r#"<rect x="{x:.1}" y="12" width="11" height="11" fill="{colour}"/>"#));
        text(svg, (x + 16.0, 21.5), "start", label);
        x += 36.0 + label.len() as f64 * 7.0;
    }
}

fn draw_ticks(svg: &mut String, length: Duration, place: impl Fn(Duration) -> (f64, f64)) {
    let seconds = length.as_secs();
    let step = [1, 2, 5, 10, 30].into_iter().find(|step| seconds / step <= TICKS);
    let step = step.unwrap_or_else(|| 60 * (seconds / 60).div_ceil(TICKS).max(1));
    for second in (0..=seconds).filter(|second| second % step == 0) {
        let label = if step < 60 { format!("{second} s") } else { format!("{} min", second / 60) };
        text(svg, place(Duration::from_secs(second)), "middle", &label);
    }
}

/// Text for XML and HTML, in elements and attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let text = escape(text);
    put(svg, format_args!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#));
}

fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{element}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(lanes: usize) -> String {
        let seconds = Duration::from_secs;
        let span = |from, to| Span {
            from: seconds(from),
            to: seconds(to),
            colour: "red",
            title: "<i-1>".to_owned(),
        };
        let lane = || Lane { label: "i-1".to_owned(), spans: vec![span(2, 5), span(5, 10)] };
        draw(&Chart {
            title: "Gates",
            length: seconds(10),
            marks: &[(seconds(5), "half".to_owned())],
            legend: vec![("red", "open".to_owned())],
            lanes: std::iter::repeat_with(lane).take(lanes).collect(),
            series: vec![Series { colour: "green", steps: vec![(seconds(5), 0.2), (seconds(5), 1.0)] }],
        })
    }

    #[test]
    fn spans_and_steps_stand_at_their_times() {
        let svg = chart(1);
        let half =
            "<rect x=\"703.0\" y=\"64.0\" width=\"473.0\" height=\"14.0\" fill=\"red\"><title>&lt;i-1&gt;";
        assert!(svg.contains(half), "{svg}");
        assert!(svg.contains("<path d=\"M230.0 237.0H703.0V127.0H1176.0\""), "{svg}");
        assert!(svg.contains(">10 s</text>") && svg.contains(">half</text>"), "{svg}");
    }

    #[test]
    fn five_hundred_lanes_fit_a_page_and_none_leave_the_plot_alone() {
        assert!(chart(500).contains("viewBox=\"0 0 1200 1020\""));
        assert!(chart(0).contains("viewBox=\"0 0 1200 464\""));
    }
}
