//! The files of this repository.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of a file, by its path from the root.
///
/// # Panics
/// It cannot be read.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files with one of these endings below a folder, sorted. The folder is named by its path from the root.
///
/// # Panics
/// The folder cannot be read.
pub fn files_below(folder: impl AsRef<Path>, endings: &[&str]) -> Vec<PathBuf> {
    let folder = root().join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("readable").path());
    let (folders, mut files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    files.retain(|file| file.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)));
    files.extend(folders.iter().flat_map(|folder| files_below(folder, endings)));
    files.sort();
    files
}
