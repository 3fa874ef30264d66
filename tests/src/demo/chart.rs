//! The chart of a run as SVG: a lane an instance, gates over time, AWS calls over time. Pure.
//!
//! Drawn for a slide: 1200 units wide, no script, no font but the reader's own.

use super::frame::{LIGHTS, Light};
use super::story::{Lane, Story};
use std::fmt::Write as _;
use std::time::Duration;

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
const GATES_HEIGHT: f64 = 110.0;
const CALLS_HEIGHT: f64 = 90.0;
const GAP: f64 = 46.0;
/// More lanes than this get no label, and less room each.
const LABELLED_LANES: usize = 60;
const MAX_LANES_HEIGHT: f64 = 760.0;
/// Width of a bar of calls.
const BUCKET: Duration = Duration::from_millis(250);

/// Colours of callers, in the order in which they first called.
const CALLERS: [(&str, &str); 3] =
    [("map-share", "#3b82d6"), ("drain-unmapped", "#7d4fc4"), ("customer", "#b7a36a")];

struct Chart<'a> {
    story: &'a Story,
    svg: String,
    lane_height: f64,
}

/// The whole chart.
pub fn chart(story: &Story) -> String {
    let lanes = story.lanes.len().max(1) as f64;
    let lane_height = (MAX_LANES_HEIGHT / lanes).min(17.0);
    let lanes_height = lane_height * lanes;
    let gates_top = TOP + lanes_height + GAP;
    let calls_top = gates_top + GATES_HEIGHT + GAP;
    let height = calls_top + CALLS_HEIGHT + 40.0;
    let mut chart = Chart { story, svg: String::new(), lane_height };
    chart.put(format_args!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif" font-size="11" fill="#28323f"><rect width="{WIDTH}" height="{height:.0}" fill="#ffffff"/>"##
    ));
    chart.legend();
    chart.acts(calls_top + CALLS_HEIGHT);
    story.lanes.iter().enumerate().for_each(|(n, lane)| chart.lane(n, lane));
    chart.gates(gates_top);
    chart.calls(calls_top);
    chart.axis(calls_top + CALLS_HEIGHT);
    chart.svg.push_str("</svg>\n");
    chart.svg
}

/// Text for XML and HTML, in elements and attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Chart<'_> {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.svg.write_fmt(text);
    }

    fn x(&self, at: Duration) -> f64 {
        let share = at.as_secs_f64() / self.story.length.as_secs_f64().max(0.001);
        LEFT + (WIDTH - LEFT - RIGHT) * share.min(1.0)
    }

    fn text(&mut self, x: f64, y: f64, extra: &str, text: &str) {
        let text = escape(text);
        self.put(format_args!(r#"<text x="{x:.1}" y="{y:.1}" {extra}>{text}</text>"#));
    }

    fn legend(&mut self) {
        let mut x = LEFT;
        let seen =
            |light: Light| self.story.lanes.iter().any(|lane| lane.spans.iter().any(|(_, l)| *l == light));
        let shown: Vec<Light> =
            LIGHTS.into_iter().filter(|light| *light != Light::Absent && seen(*light)).collect();
        for light in shown {
            let colour = light.colour();
            self.put(format_args!(
                r#"<rect x="{x:.1}" y="12" width="11" height="11" rx="2.5" fill="{colour}"/>"#
            ));
            self.text(x + 16.0, 21.5, "", light.label());
            x += 34.0 + light.label().len() as f64 * 6.6;
        }
    }

    fn acts(&mut self, bottom: f64) {
        let acts = self.story.acts.clone();
        for (n, (at, title)) in acts.iter().enumerate() {
            let x = self.x(*at);
            self.put(format_args!(
                r##"<line x1="{x:.1}" x2="{x:.1}" y1="44" y2="{bottom:.1}" stroke="#c4ccd6" stroke-dasharray="3 3"/>"##
            ));
            let end = acts.get(n + 1).map_or(self.story.length, |(at, _)| *at);
            // As much of the title as there is room for.
            let room = ((self.x(end) - x - 6.0) / 5.9).max(0.0) as usize;
            let short: String = if title.chars().count() > room {
                title.chars().take(room.saturating_sub(1)).chain(['…']).collect()
            } else {
                title.clone()
            };
            if room > 3 {
                self.text(x + 5.0, 54.0, r##"font-weight="600" fill="#51606f""##, &short);
            }
        }
    }

    fn lane(&mut self, n: usize, lane: &Lane) {
        let y = TOP + self.lane_height * n as f64;
        let gap = if self.lane_height > 6.0 { 3.0 } else { 0.0 };
        let height = self.lane_height - gap;
        if self.story.lanes.len() <= LABELLED_LANES {
            let baseline = y + height - 2.5;
            let id = &lane.last.id;
            // The tail tells them apart.
            let tail = id.get(id.len().saturating_sub(6)..).unwrap_or(id);
            self.text(
                12.0,
                baseline,
                r##"fill="#28323f" font-family="ui-monospace, Consolas, monospace""##,
                &format!("…{tail}"),
            );
            self.text(70.0, baseline, r##"fill="#6b7886""##, &lane.last.who);
        }
        let ends = lane.spans.iter().skip(1).map(|(at, _)| *at).chain([self.story.length]);
        let spans: Vec<_> = lane.spans.iter().copied().zip(ends).collect();
        for ((from, light), to) in spans {
            if light == Light::Absent {
                continue;
            }
            let (x, width) = (self.x(from), (self.x(to) - self.x(from)).max(0.6));
            let colour = light.colour();
            let rounding = if height > 6.0 { 2.0 } else { 0.0 };
            let title = escape(&format!(
                "{} ({}): {} from {:.1} s to {:.1} s",
                lane.last.id,
                lane.last.who,
                light.label(),
                from.as_secs_f64(),
                to.as_secs_f64()
            ));
            self.put(format_args!(
                r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="{rounding}" fill="{colour}"><title>{title}</title></rect>"#
            ));
        }
    }

    fn gates(&mut self, top: f64) {
        let story = self.story;
        let all = story.lanes.iter().filter(|lane| lane.last.light != Light::NotOurs).count().max(1);
        let open = [Light::Open, Light::Doubtful];
        let there: Vec<Light> =
            LIGHTS.into_iter().filter(|light| ![Light::Absent, Light::NotOurs].contains(light)).collect();
        self.text(12.0, top + 14.0, r#"font-weight="600""#, "Gates over time");
        self.text(12.0, top + 30.0, r##"fill="#6b7886""##, "open, of the Windows container");
        self.text(12.0, top + 44.0, r##"fill="#6b7886""##, "instances that are registered");
        for (lights, fill) in [(there.as_slice(), "#dde4ec"), (open.as_slice(), "#1f8a5b")] {
            let mut path = format!("M{:.1} {:.1}", self.x(Duration::ZERO), top + GATES_HEIGHT);
            for at in story.moments() {
                let y = top + GATES_HEIGHT * (1.0 - story.count_at(at, lights) as f64 / all as f64);
                let _ = write!(path, "H{:.1}V{y:.1}", self.x(at));
            }
            let _ = write!(path, "V{:.1}Z", top + GATES_HEIGHT);
            self.put(format_args!(r#"<path d="{path}" fill="{fill}"/>"#));
        }
        self.scale(top, GATES_HEIGHT, all);
    }

    fn calls(&mut self, top: f64) {
        let story = self.story;
        self.text(12.0, top + 14.0, r#"font-weight="600""#, "AWS calls");
        let buckets = (story.length.as_millis() / BUCKET.as_millis()) as usize + 1;
        let mut counts = vec![[0_usize; CALLERS.len()]; buckets];
        for call in &story.calls {
            let bucket = ((call.at.as_millis() / BUCKET.as_millis()) as usize).min(buckets - 1);
            if let Some(caller) = CALLERS.iter().position(|(name, _)| *name == call.caller) {
                counts[bucket][caller] += 1;
            }
        }
        let most = counts.iter().map(|bucket| bucket.iter().sum::<usize>()).max().unwrap_or(0).max(1);
        for (n, bucket) in counts.iter().enumerate() {
            let x = self.x(BUCKET * n as u32);
            let width = (self.x(BUCKET * (n as u32 + 1)) - x - 1.0).max(0.5);
            let mut y = top + CALLS_HEIGHT;
            for (count, (_, colour)) in bucket.iter().zip(CALLERS) {
                let height = CALLS_HEIGHT * *count as f64 / most as f64;
                y -= height;
                if *count > 0 {
                    self.put(format_args!(
                        r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
                    ));
                }
            }
        }
        for (n, (name, colour)) in CALLERS.iter().enumerate() {
            let y = top + 24.0 + 15.0 * n as f64;
            let made = story.calls.iter().filter(|call| call.caller == *name).count();
            self.put(format_args!(
                r#"<rect x="12" y="{y:.1}" width="9" height="9" rx="2" fill="{colour}"/>"#
            ));
            self.text(26.0, y + 8.5, r##"fill="#6b7886""##, &format!("{name}: {made}"));
        }
        self.scale(top, CALLS_HEIGHT, most);
    }

    /// The upper and lower end of a vertical scale.
    fn scale(&mut self, top: f64, height: f64, most: usize) {
        let right = WIDTH - RIGHT;
        for (y, value) in [(top, most), (top + height, 0)] {
            self.put(format_args!(
                r##"<line x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}" stroke="#aab4c0" stroke-width="0.6"/>"##
            ));
            let end = LEFT - 6.0;
            self.text(end, y + 4.0, r##"text-anchor="end" fill="#6b7886""##, &value.to_string());
        }
    }

    fn axis(&mut self, bottom: f64) {
        let seconds = self.story.length.as_secs();
        let step = [1, 2, 5, 10, 20, 60].into_iter().find(|step| seconds / step <= 14).unwrap_or(120_u64);
        for second in (0..=seconds).filter(|second| second % step == 0) {
            let x = self.x(Duration::from_secs(second));
            self.text(x, bottom + 18.0, r##"text-anchor="middle" fill="#6b7886""##, &format!("{second} s"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Row;
    use super::*;

    fn lane(spans: &[(u64, Light)]) -> Lane {
        let last = Row {
            id: "i-0123456789abcdef0".to_owned(),
            who: "scale-out <&>".to_owned(),
            status: "ACTIVE".to_owned(),
            agent: "online",
            gate_open: true,
            state: "mapped".to_owned(),
            cause: String::new(),
            tasks: 0,
            light: spans.last().unwrap().1,
        };
        Lane { last, spans: spans.iter().map(|(at, light)| (Duration::from_secs(*at), *light)).collect() }
    }

    fn story(instances: usize) -> Story {
        let spans = [(0, Light::Absent), (2, Light::Waiting), (3, Light::Working), (5, Light::Open)];
        Story {
            length: Duration::from_secs(10),
            acts: vec![(Duration::ZERO, "first deployment".to_owned())],
            lanes: vec![lane(&spans); instances],
            ..Story::default()
        }
    }

    #[test]
    fn a_lane_has_a_bar_for_each_span_that_is_to_be_seen() {
        let svg = chart(&story(1));
        assert_eq!(svg.matches("<title>").count(), 3);
        let open = format!(
            r#"fill="{}"><title>i-0123456789abcdef0 (scale-out &lt;&amp;&gt;): gate open from 5.0 s to 10.0 s"#,
            Light::Open.colour()
        );
        assert!(svg.contains(&open), "{svg}");
        // Half of the width, from the middle on.
        assert!(svg.contains(r#"<rect x="713.0" y="64.0" width="463.0""#), "{svg}");
    }

    #[test]
    fn five_hundred_lanes_fit_a_page_and_lose_their_labels() {
        let svg = chart(&story(500));
        assert!(svg.contains(r#"viewBox="0 0 1200 1156""#), "{}", &svg[..120]);
        assert!(!svg.contains("…bcdef0"));
        assert!(chart(&story(40)).contains("…bcdef0"));
    }

    #[test]
    fn the_story_counts_lights_at_any_time() {
        let story = story(3);
        let at = |s| Duration::from_secs(s);
        assert_eq!(story.count_at(at(1), &[Light::Open]), 0);
        assert_eq!(story.count_at(at(5), &[Light::Open]), 3);
        assert_eq!(story.moments(), [at(0), at(2), at(3), at(5), at(10)]);
    }
}
