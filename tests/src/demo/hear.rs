//! What the functions print, as far as the demo listens: metrics, and log lines that a person would want to see.

use super::frame::Actor;
use super::ink::Tone;
use crate::runtime_api::{Line, Stream};
use serde_json::Value;
use std::collections::BTreeMap;

/// All that was heard so far.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// The largest value of each metric.
    pub metrics: BTreeMap<String, f64>,
    /// Why the drain of an instance was withheld, each reason once.
    pub withheld: BTreeMap<String, Vec<String>>,
}

/// A line for the timeline; where it is about an instance, `#` stands for that.
pub type Said = (Actor, Tone, String, Option<String>);

impl Heard {
    /// Listens to one line; what it says is returned when it is news.
    pub fn hear(&mut self, actor: Actor, line: &Line) -> Option<Said> {
        let Ok(json) = serde_json::from_str::<Value>(&line.text) else {
            // A panic, on standard error; everything else is JSON.
            return (line.stream == Stream::Err && line.text.contains("panicked"))
                .then(|| (actor, Tone::Bad, line.text.clone(), None));
        };
        self.note_metrics(&json);
        let text = |name: &str| json[name].as_str().unwrap_or_default();
        match text("message") {
            "drain withheld" => {
                let (instance, rule) = (text("instance_id").to_owned(), text("rule").to_owned());
                let known = self.withheld.entry(instance.clone()).or_default();
                if known.contains(&rule) {
                    return None;
                }
                let said = format!("drain withheld ({rule}): #");
                known.push(rule);
                Some((actor, Tone::Warn, said, Some(instance)))
            }
            message if text("level") == "ERROR" => {
                Some((actor, Tone::Bad, format!("{message} {}", text("error")), None))
            }
            _ => None,
        }
    }

    /// A line in embedded metric format names its metrics, and holds them beside.
    fn note_metrics(&mut self, line: &Value) {
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array();
        for name in metrics.into_iter().flatten().filter_map(|metric| metric["Name"].as_str()) {
            let Some(value) = line[name].as_f64() else { continue };
            let most = self.metrics.entry(name.to_owned()).or_insert(value);
            *most = most.max(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { stream: Stream::Out, text: text.to_owned() }
    }

    #[test]
    fn a_withheld_drain_is_news_once_a_reason() {
        let mut heard = Heard::default();
        let mut said = |rule: &str| {
            let text = format!(
                r#"{{"level":"WARN","message":"drain withheld","instance_id":"i-1","rule":"{rule}"}}"#
            );
            heard.hear(Actor::DrainUnmapped, &line(&text)).map(|(_, _, text, instance)| (text, instance))
        };
        let expected = Some(("drain withheld (budget): #".to_owned(), Some("i-1".to_owned())));
        assert_eq!(said("budget"), expected);
        assert_eq!(said("budget"), None);
        assert!(said("hold").is_some());
        assert_eq!(heard.withheld["i-1"], ["budget", "hold"]);
    }

    #[test]
    fn of_a_metric_the_largest_value_is_kept_and_a_panic_is_heard() {
        let mut heard = Heard::default();
        let metric = |n: u32| {
            format!(
                r#"{{"_aws":{{"CloudWatchMetrics":[{{"Metrics":[{{"Name":"ReconcileRuns"}}]}}]}},"ReconcileRuns":{n}}}"#
            )
        };
        for n in [1, 3, 2] {
            assert_eq!(heard.hear(Actor::DrainUnmapped, &line(&metric(n))), None);
        }
        assert_eq!(heard.metrics["ReconcileRuns"], 3.0);
        let panic =
            Line { stream: Stream::Err, text: "thread 'main' panicked at src/main.rs:1:1:".to_owned() };
        assert!(heard.hear(Actor::MapShare, &panic).is_some_and(|said| said.1 == Tone::Bad));
    }
}
