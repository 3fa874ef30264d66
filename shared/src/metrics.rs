//! CloudWatch metrics in embedded metric format: one JSON object a line on standard output.
//!
//! There are two dimension sets: `{Stack}`, which alarms use, and `{Stack, Cluster}`. An instance's id is never a dimension,
//! since CloudWatch bills every new value as a new metric.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use metrique::emf::Emf;
use metrique::writer::format::Format;
use metrique::writer::{Entry, EntryWriter};

/// Where metrics go.
#[derive(Clone)]
pub struct Metrics {
    namespace: String,
    stack: String,
    out: Arc<Mutex<dyn Write + Send>>,
}

/// A metric. Every function has one table of those that it emits, made with [`crate::metrics!`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in CloudWatch. Counts and gauges have no unit; ages are named by theirs.
    pub name: &'static str,
    /// Under which dimensions it is emitted.
    pub scope: Scope,
}

/// A row of a function's table of metrics. Documents and tests read it; what is deployed does not hold the descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The metric's name.
    pub name: &'static str,
    /// Under which dimensions it is emitted.
    pub scope: Scope,
    /// What it counts or measures.
    pub means: &'static str,
}

/// The dimensions of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// `{Stack}`.
    Stack,
    /// `{Stack}`, and `{Stack, Cluster}` for each cluster.
    StackAndCluster,
}

/// The names of the dimensions; the second is left out for the stack as a whole.
pub const DIMENSIONS: [&str; 2] = ["Stack", "Cluster"];

/// One metric and its value.
pub type Value = (Metric, f64);

/// Makes the table of a function's metrics: a constant for each, `ALL` of them, and the `TABLE` that describes them. Where
/// the rows begin with the type of what is measured, each ends with a function from it to the metric's value, and `VALUES`
/// holds the metrics with these functions.
#[macro_export]
macro_rules! metrics {
    ($figures:ty; $($scope:ident $name:literal $means:literal = $value:expr;)+) => {
        /// Every metric that the function emits, with its value; `None` where there is none.
        pub(crate) const VALUES: &[($crate::metrics::Metric, fn($figures) -> Option<f64>)] = &[$((
            $crate::metrics::Metric { name: $name, scope: $crate::metrics::Scope::$scope },
            $value,
        )),+];

        $crate::metrics! { @table $($scope $name $means;)+ }
    };
    ($($id:ident = $scope:ident $name:literal $means:literal;)+) => {
        $(pub(crate) const $id: $crate::metrics::Metric =
            $crate::metrics::Metric { name: $name, scope: $crate::metrics::Scope::$scope };)+

        /// Every metric that the function emits.
        pub const ALL: &[$crate::metrics::Metric] = &[$($id),+];

        $crate::metrics! { @table $($scope $name $means;)+ }
    };
    (@table $($scope:ident $name:literal $means:literal;)+) => {
        /// What they mean, in the same order.
        pub const TABLE: &[$crate::metrics::Description] = &[$($crate::metrics::Description {
            name: $name,
            scope: $crate::metrics::Scope::$scope,
            means: $means,
        }),+];
    };
}

impl Metrics {
    /// Metrics of a stack, to standard output.
    pub fn to_stdout(namespace: &str, stack: &str) -> Self {
        Self::to_writer(namespace, stack, Arc::new(Mutex::new(std::io::stdout())))
    }

    /// Metrics of a stack, to any writer.
    pub fn to_writer(namespace: &str, stack: &str, out: Arc<Mutex<dyn Write + Send>>) -> Self {
        Metrics { namespace: namespace.to_owned(), stack: stack.to_owned(), out }
    }

    /// Writes one line with these values under `{Stack}`, or under `{Stack, Cluster}`. A failed
    /// write is logged and no error, since the work is done by then.
    pub fn emit(&self, now: Timestamp, cluster: Option<&str>, values: &[Value]) {
        if values.is_empty() {
            return;
        }
        let emitted_as = if cluster.is_some() { &DIMENSIONS[..] } else { &DIMENSIONS[..1] };
        let dimensions = emitted_as.iter().map(|name| (*name).to_owned()).collect();
        debug_assert!(
            cluster.is_none() || values.iter().all(|(metric, _)| metric.scope == Scope::StackAndCluster),
            "the table says of each metric whether it is emitted for a cluster"
        );
        let mut emf = Emf::builder(self.namespace.clone(), vec![dimensions]).build();
        let mut line = Vec::new();
        let written = emf
            .format(&Line { now, stack: &self.stack, cluster, values }, &mut line)
            .map_err(|error| error.to_string())
            .and_then(|()| {
                let mut out = self.out.lock().map_err(|error| error.to_string())?;
                out.write_all(&line).and_then(|()| out.flush()).map_err(|error| error.to_string())
            });
        if let Err(error) = written {
            tracing::warn!(error, "metrics not written");
        }
    }
}

struct Line<'l> {
    now: Timestamp,
    stack: &'l str,
    cluster: Option<&'l str>,
    values: &'l [Value],
}

impl Entry for Line<'_> {
    fn write<'a>(&'a self, writer: &mut impl EntryWriter<'a>) {
        writer.timestamp(
            SystemTime::UNIX_EPOCH + Duration::from_millis(self.now.as_millisecond().unsigned_abs()),
        );
        writer.value(DIMENSIONS[0], &self.stack);
        if let Some(cluster) = &self.cluster {
            writer.value(DIMENSIONS[1], cluster);
        }
        for (metric, value) in self.values {
            writer.value(metric.name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use table::{ALL, MAPPED, OLDEST, RUNS, TABLE};

    #[allow(unreachable_pub, reason = "a function's table is public")]
    mod table {
        crate::metrics! {
            MAPPED = StackAndCluster "Mapped" "mapped instances";
            OLDEST = StackAndCluster "OldestUnmappedMinutes" "age of the oldest failure";
            RUNS = Stack "ReconcileRuns" "runs that ended";
        }
    }

    #[test]
    fn the_table_holds_every_metric_once() {
        assert_eq!(ALL, [MAPPED, OLDEST, RUNS]);
        assert!(ALL.iter().map(|metric| metric.name).eq(TABLE.iter().map(|row| row.name)));
    }

    fn emitted(cluster: Option<&str>, values: &[Value]) -> String {
        let out: Arc<Mutex<Vec<u8>>> = Arc::default();
        let metrics = Metrics::to_writer("EcsSmbMapper", "smb-g", out.clone());
        metrics.emit("2026-11-22T08:00:00Z".parse().unwrap(), cluster, values);
        let bytes = out.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_what_cloudwatch_reads_as_metrics() {
        let text = emitted(Some("windows"), &[(MAPPED, 40.0), (OLDEST, 1.5)]);
        assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "_aws": {
                "CloudWatchMetrics": [{
                    "Namespace": "EcsSmbMapper",
                    "Dimensions": [["Stack", "Cluster"]],
                    "Metrics": [{"Name": "Mapped"}, {"Name": "OldestUnmappedMinutes"}],
                }],
                "Timestamp": 1_795_334_400_000_i64,
            },
            "Stack": "smb-g", "Cluster": "windows", "Mapped": 40, "OldestUnmappedMinutes": 1.5,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn alarms_find_the_stacks_own_dimension_set() {
        let line: serde_json::Value = serde_json::from_str(&emitted(None, &[(RUNS, 1.0)])).unwrap();
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], serde_json::json!([["Stack"]]));
        assert_eq!(emitted(None, &[]), "");
    }
}
