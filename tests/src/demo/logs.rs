//! What the demo reads from the functions' output: metrics, reasons of withheld drains, errors.

use super::screen::Tone;
use crate::runtime_api::{Line, Stream};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the functions printed so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs {
    /// The largest value of each metric.
    pub(super) metrics: BTreeMap<String, f64>,
    /// Why the drain of an instance was withheld, each reason once.
    pub(super) withheld: BTreeMap<String, Vec<String>>,
    /// How many refused log-ons are spent, in words.
    spent: String,
}

/// A log line that the timeline shows: its text, and the instance that stands for `#` in it.
pub(super) type News = (Tone, String, Option<String>);

impl Logs {
    /// Reads one line. `None`: the timeline need not show it.
    pub(super) fn read(&mut self, line: &Line) -> Option<News> {
        let bad = |text: String| Some((Tone::Bad, text, None));
        let Ok(json) = serde_json::from_str::<Value>(&line.text) else {
            // Everything but a panic is JSON.
            let panicked = line.stream == Stream::Err && line.text.contains("panicked");
            return if panicked { bad(line.text.clone()) } else { None };
        };
        self.read_metrics(&json);
        let text = |name: &str| json[name].as_str().unwrap_or_default();
        match text("message") {
            "drain withheld" => {
                let (instance, rule) = (text("instance_id").to_owned(), text("rule").to_owned());
                let rules = self.withheld.entry(instance.clone()).or_default();
                if rules.contains(&rule) {
                    return None;
                }
                let text = format!("drain withheld ({rule}): #");
                rules.push(rule);
                Some((Tone::Warn, text, Some(instance)))
            }
            "reconcile run done" => {
                let part =
                    text("summary").split("; ").find(|part| part.contains("log-ons spent (")).unwrap_or("");
                let spent = part.split(" (").next().unwrap_or_default();
                let is_news = !spent.is_empty() && spent != self.spent;
                self.spent = spent.to_owned();
                is_news.then(|| (Tone::Warn, spent.to_owned(), None))
            }
            message if text("level") == "ERROR" => bad(format!("{message} {}", text("error"))),
            _ => None,
        }
    }

    /// A line in the embedded metric format lists the names of its metrics; their values stand beside the list.
    fn read_metrics(&mut self, line: &Value) {
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array();
        for name in metrics.into_iter().flatten().filter_map(|metric| metric["Name"].as_str()) {
            let Some(value) = line[name].as_f64() else { continue };
            let largest = self.metrics.entry(name.to_owned()).or_insert(value);
            *largest = largest.max(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_errors_and_the_reasons_of_what_waits_are_read() {
        let mut logs = Logs::default();
        let withheld = |rule| {
            format!(r#"{{"level":"WARN","message":"drain withheld","instance_id":"i-1","rule":"{rule}"}}"#)
        };
        let metric = |n| {
            format!(r#"{{"_aws":{{"CloudWatchMetrics":[{{"Metrics":[{{"Name":"Runs"}}]}}]}},"Runs":{n}}}"#)
        };
        let done = |summary| format!(r#"{{"message":"reconcile run done","summary":"0 mapped{summary}"}}"#);
        let spent = done("; 2 of 3 refused log-ons spent (i-1 a map, i-2 a map); 5 hosts wait");
        let error = r#"{"level":"ERROR","message":"failed","error":"ecs:PutAttributes"}"#;
        let table = [
            (Stream::Out, withheld("budget"), Some("drain withheld (budget): #")),
            (Stream::Out, withheld("budget"), None),
            (Stream::Out, withheld("hold"), Some("drain withheld (hold): #")),
            (Stream::Out, metric(1), None),
            (Stream::Out, metric(3), None),
            (Stream::Out, metric(2), None),
            (Stream::Out, done(""), None),
            (Stream::Out, spent.clone(), Some("2 of 3 refused log-ons spent")),
            (Stream::Out, spent, None),
            (Stream::Out, error.to_owned(), Some("failed ecs:PutAttributes")),
            (Stream::Err, "thread 'main' panicked".to_owned(), Some("thread 'main' panicked")),
        ];
        for (stream, text, expected) in table {
            let news = logs.read(&Line { stream, text: text.clone() });
            assert_eq!(news.map(|(_, text, _)| text).as_deref(), expected, "{text}");
        }
        assert_eq!(logs.metrics["Runs"], 3.0);
        assert_eq!(logs.withheld["i-1"], ["budget", "hold"]);
    }
}
