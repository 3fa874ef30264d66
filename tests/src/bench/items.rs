//! The time that the pure parts take for one item, from criterion's last results.

use std::path::Path;

use serde_json::Value;

/// One benchmark's median.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Item {
    /// The group and the benchmark in it.
    pub name: String,
    /// Nanoseconds an item: an instance, a record, a task definition.
    pub ns: f64,
}

/// Reads criterion's results below a directory, by name. Empty if it has not run.
pub fn read(criterion: &Path) -> Vec<Item> {
    let entries = |directory: &Path| std::fs::read_dir(directory).into_iter().flatten().flatten();
    let benchmarks = entries(criterion).flat_map(|group| entries(&group.path()).collect::<Vec<_>>());
    let mut items: Vec<Item> =
        benchmarks.filter_map(|benchmark| item(&benchmark.path().join("new"))).collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    items
}

fn item(directory: &Path) -> Option<Item> {
    let json = |file: &str| -> Option<Value> {
        serde_json::from_slice(&std::fs::read(directory.join(file)).ok()?).ok()
    };
    let (benchmark, estimates) = (json("benchmark.json")?, json("estimates.json")?);
    let items = benchmark["throughput"]["Elements"].as_f64()?;
    let ns = estimates["median"]["point_estimate"].as_f64()?;
    Some(Item { name: benchmark["full_id"].as_str()?.replace('/', ": "), ns: ns / items })
}
