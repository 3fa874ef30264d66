//! The study's chart as SVG: the share of gates that are open over time, a line a wave. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use super::Figures;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;

/// One a wave, in their order.
const COLOURS: [&str; 6] = ["#1f8a5b", "#3b82d6", "#7d4fc4", "#c2571a", "#b7a36a", "#6b7886"];

/// The whole chart.
pub fn chart(waves: &[Figures]) -> String {
    let last = waves.iter().filter_map(|wave| wave.opened.last()).max().copied().unwrap_or_default();
    let minutes = last.as_secs().div_ceil(60).max(1);
    let x = |at: Duration| LEFT + (WIDTH - LEFT - RIGHT) * at.as_secs_f64() / (60 * minutes) as f64;
    let y = |share: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif" font-size="12" fill="#28323f"><rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/><text x="{LEFT}" y="24" font-size="14" font-weight="600">Open gates since the launch of all instances at once (a model)</text>"##
    );
    let mut put = |text: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "{text}");
    };
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        let (y, right) = (y(share), WIDTH - RIGHT);
        put(format_args!(r##"<line x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}" stroke="#dde4ec"/>"##));
        let (end, base, percent) = (LEFT - 8.0, y + 4.0, quarter * 25);
        put(format_args!(r#"<text x="{end}" y="{base:.1}" text-anchor="end">{percent} %</text>"#));
    }
    for minute in 0..=minutes {
        let (x, y) = (x(Duration::from_secs(60 * minute)), HEIGHT - BOTTOM + 20.0);
        put(format_args!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="middle">{minute} min</text>"#));
    }
    for (n, (wave, colour)) in waves.iter().zip(COLOURS).enumerate() {
        let mut path = format!("M{:.1} {:.1}", x(Duration::ZERO), y(0.0));
        for (count, at) in wave.opened.iter().enumerate() {
            // A step a call, not an instance.
            if wave.opened.get(count + 1) != Some(at) {
                let _ = write!(path, "H{:.1}V{:.1}", x(*at), y((count + 1) as f64 / wave.instances as f64));
            }
        }
        put(format_args!(r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"#));
        let (x, y) = (LEFT + 14.0, TOP + 18.0 + 18.0 * n as f64);
        put(format_args!(r#"<rect x="{x}" y="{:.1}" width="12" height="4" fill="{colour}"/>"#, y - 6.0));
        put(format_args!(r#"<text x="{:.1}" y="{y:.1}">{} instances</text>"#, x + 20.0, wave.instances));
    }
    svg.push_str("</svg>\n");
    svg
}
