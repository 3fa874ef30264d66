//! The sample payloads under `events/`.

use std::path::PathBuf;

use serde_json::Value;

/// The folder of a function's payloads.
pub fn folder(function: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../events")).join(function)
}

/// The payloads of a function with their file names without extension, in the order of the names.
pub fn of(function: &str) -> Vec<(String, Value)> {
    let folder = folder(function);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no payload in {}", folder.display());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("readable");
        let payload =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_stem().expect("a name").to_string_lossy().into_owned(), payload)
    };
    files.into_iter().map(read).collect()
}
