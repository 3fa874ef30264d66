//! The sample payloads under `events/`.

use std::path::PathBuf;

use serde_json::Value;

use crate::repository::{self, files_below};

/// The folder of a function's payloads.
pub fn folder(function: &str) -> PathBuf {
    repository::root().join("events").join(function)
}

/// The payloads of a function with their file names without extension, in the order of the names.
pub fn of(function: &str) -> Vec<(String, Value)> {
    let folder = folder(function);
    let files = files_below(&folder, &["json"]);
    assert!(!files.is_empty(), "no payload in {}", folder.display());
    let read = |path: PathBuf| {
        let payload = serde_json::from_str(&repository::read(&path));
        let payload = payload.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_stem().expect("a name").to_string_lossy().into_owned(), payload)
    };
    files.into_iter().map(read).collect()
}
