//! What one item costs the pure parts, read from what criterion last wrote.

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

/// Reads criterion's results below a directory, by name.
///
/// # Errors
/// Where there are none, or they cannot be read.
pub fn read(criterion: &Path) -> std::io::Result<Vec<Item>> {
    let mut items = Vec::new();
    for group in std::fs::read_dir(criterion)?.flatten() {
        let Ok(benchmarks) = std::fs::read_dir(group.path()) else { continue };
        items.extend(benchmarks.flatten().filter_map(|benchmark| item(&benchmark.path().join("new"))));
    }
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(items)
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
