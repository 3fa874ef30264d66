//! Cleans, classifies and compares paths as the ECS agent and Docker on Windows do.
//!
//! Only the text matters here. Whether a directory exists on the share cannot be known, and Docker on Windows does not
//! create it.
//!
//! Sources: `getCanonicalPath` in the ECS agent's `agent/api/task/task_windows.go` (lower case, then Go's
//! `filepath.Clean`; drives without a path and named pipes stay unchanged), and Docker's
//! `volume/mounts/windows_parser.go` (the paths that a bind accepts).

/// A path of a task definition, as Windows reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowsPath {
    /// The kind of path.
    pub kind: PathKind,
    /// `ro` or `rw` where the path ends in `:ro` or `:rw`, as in `docker run -v`; `kind` is without it.
    pub mode: Option<&'static str>,
    /// Whether a component is `..`; `kind` is the cleaned path.
    pub traverses: bool,
}

/// The kind of a cleaned path. Letters and components are in lower case, without empty ones, `.`, and every `..` that
/// can be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathKind {
    /// Nothing, or white space only.
    Empty,
    /// Known only at deployment, and not checked.
    Unresolved,
    /// `\\.\pipe\name`.
    Pipe,
    /// `g:\` or `g:\directory`, also after `\\?\`: the only absolute path that a bind mount accepts.
    Drive {
        /// `g`.
        letter: char,
        /// `["directory", "app-state"]`; empty for the root.
        components: Vec<String>,
    },
    /// `g:` without a separator: valid in the container, but refused by Docker as a source.
    BareDrive {
        /// `g`.
        letter: char,
    },
    /// `g:directory`: relative to the current directory of that drive.
    DriveRelative {
        /// `g`.
        letter: char,
    },
    /// `\\server\share`, also after `\\?\UNC\`.
    Unc,
    /// Another `\\.\` or `\\?\` path, such as a volume's GUID.
    Device,
    /// `\directory` or `/directory`, without a drive.
    Rootless,
    /// `directory` or `directory\app-state`.
    Relative {
        /// A single word, which Docker takes as the name of a Docker volume.
        single_word: bool,
    },
}

impl WindowsPath {
    /// A path that is known only at deployment.
    pub const UNRESOLVED: WindowsPath =
        WindowsPath { kind: PathKind::Unresolved, mode: None, traverses: false };

    /// Reads a path. Every text has a kind.
    pub fn parse(text: &str) -> WindowsPath {
        let (base, mode) = split_mode(text);
        let traverses = base.split(is_separator).any(|part| part == "..");
        WindowsPath { kind: classify(&clean(base)), mode, traverses }
    }

    /// Whether it names the drive `letter`: `g:\…`, `g:` and `g:directory`.
    pub fn names_drive(&self, letter: char) -> bool {
        let own = match &self.kind {
            PathKind::Drive { letter, .. }
            | PathKind::BareDrive { letter }
            | PathKind::DriveRelative { letter } => letter,
            _ => return false,
        };
        own.eq_ignore_ascii_case(&letter)
    }

    /// The cleaned components below the root of the drive `letter`; `None` for any other path.
    pub fn below_drive(&self, letter: char) -> Option<&[String]> {
        match &self.kind {
            PathKind::Drive { letter: own, components } if own.eq_ignore_ascii_case(&letter) => {
                Some(components)
            }
            _ => None,
        }
    }

    /// Whether it is valid as a bind mount's source: an absolute path on a drive, or a named pipe.
    pub fn is_valid_source(&self) -> bool {
        matches!(self.kind, PathKind::Drive { .. } | PathKind::Pipe | PathKind::Unresolved)
    }
}

/// The path as the ECS agent compares it: lower case, backslashes, no repeated or trailing separator, no `.`, and `..`
/// resolved. Drives without a path and named pipes only get lower case; an empty path stays empty. Cleaning twice has
/// the effect of cleaning once.
pub fn clean(text: &str) -> String {
    resolve(&text.to_lowercase())
}

/// The same in the original case, for messages.
pub fn resolve(text: &str) -> String {
    if text.is_empty() || is_bare_drive(text) || is_pipe(text) {
        return text.to_owned();
    }
    let text = text.replace('/', r"\");
    let (volume, rest) = split_volume(&text);
    // `\\server` counts as rooted, because what follows server and share is below them.
    let rooted = rest.starts_with('\\') || volume.starts_with(r"\\") && !is_verbatim_drive(&volume);
    let mut kept: Vec<&str> = Vec::new();
    for part in rest.split('\\') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            part => kept.push(part),
        }
    }
    let joined = kept.join(r"\");
    match (rooted, joined.is_empty()) {
        // Server and share are a volume; a separator after them has no meaning.
        (true, true) if volume.starts_with(r"\\") && !is_verbatim_drive(&volume) => volume,
        (true, _) => format!(r"{volume}\{joined}"),
        (false, true) if is_verbatim_drive(&volume) => volume,
        (false, true) => format!("{volume}."),
        // `a\..\c:\x` must not turn into a path on drive C.
        (false, false) if volume.is_empty() && kept[0].contains(':') => format!(r".\{joined}"),
        (false, false) => format!("{volume}{joined}"),
    }
}

/// Whether the text is a named pipe, `\\.\pipe\name`, with either slash.
pub fn is_pipe(text: &str) -> bool {
    let prefix: String =
        text.chars().take(9).map(|c| if c == '/' { '\\' } else { c.to_ascii_lowercase() }).collect();
    prefix == r"\\.\pipe\" && text.chars().count() > 9
}

/// Whether the text is a path on Windows only: it has a drive letter or a backslash.
pub fn only_windows_can_mean(text: &str) -> bool {
    text.contains('\\') || is_pipe(text) || has_drive(text)
}

/// Splits `:ro` or `:rw` off the end of a path.
fn split_mode(text: &str) -> (&str, Option<&'static str>) {
    for (suffix, mode) in [(":ro", "ro"), (":rw", "rw")] {
        let Some(at) = text.len().checked_sub(suffix.len()) else { continue };
        // A single letter before the colon is a drive: `g:ro` is the directory `ro` on drive `g`.
        if at > 1 && text.is_char_boundary(at) && text[at..].eq_ignore_ascii_case(suffix) {
            return (&text[..at], Some(mode));
        }
    }
    (text, None)
}

fn classify(clean: &str) -> PathKind {
    if clean.trim().is_empty() {
        return PathKind::Empty;
    }
    if is_pipe(clean) {
        return PathKind::Pipe;
    }
    let path = if is_verbatim_drive(clean) { &clean[4..] } else { clean };
    if has_drive(path) {
        let letter = path.as_bytes()[0] as char;
        let rest = &path[2..];
        return match rest.strip_prefix('\\') {
            Some(below) => {
                let components =
                    below.split('\\').filter(|part| !part.is_empty()).map(str::to_owned).collect();
                PathKind::Drive { letter, components }
            }
            None if rest.is_empty() => PathKind::BareDrive { letter },
            None => PathKind::DriveRelative { letter },
        };
    }
    if path.starts_with(r"\\?\unc\") {
        return PathKind::Unc;
    }
    if path.starts_with(r"\\.") || path.starts_with(r"\\?") {
        return PathKind::Device;
    }
    if path.starts_with(r"\\") {
        return PathKind::Unc;
    }
    if path.starts_with('\\') {
        return PathKind::Rootless;
    }
    PathKind::Relative { single_word: !path.contains('\\') }
}

/// Splits a text into the part that cleaning must not change (a drive, or server and share) and the rest.
fn split_volume(text: &str) -> (String, &str) {
    if is_verbatim_drive(text) {
        return (text[..6].to_owned(), &text[6..]);
    }
    if has_drive(text) {
        return (text[..2].to_owned(), &text[2..]);
    }
    if !text.starts_with(r"\\") {
        return (String::new(), text);
    }
    let mut rest = text.trim_start_matches('\\');
    let mut volume = String::from(r"\");
    for _ in 0..2 {
        let end = rest.find('\\').unwrap_or(rest.len());
        volume.push('\\');
        volume.push_str(&rest[..end]);
        rest = rest[end..].trim_start_matches('\\');
        if rest.is_empty() {
            break;
        }
    }
    (volume, rest)
}

fn is_separator(c: char) -> bool {
    c == '\\' || c == '/'
}

fn has_drive(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':'
}

fn is_bare_drive(text: &str) -> bool {
    text.len() == 2 && has_drive(text)
}

/// Whether the text is `\\?\g:…`. Docker accepts this prefix with backslashes only.
fn is_verbatim_drive(text: &str) -> bool {
    text.starts_with(r"\\?\") && has_drive(&text[4..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_cleaned_as_in_the_agent() {
        for (written, expected) in [
            (r"G:\", r"g:\"),
            ("G:/", r"g:\"),
            (r"g:\", r"g:\"),
            (r"G:\\\", r"g:\"),
            ("G:", "g:"),
            (r"C:/Container/Path", r"c:\container\path"),
            (r"G:\Directory\\app-state\", r"g:\directory\app-state"),
            (r"G:\Directory\.\app-state", r"g:\directory\app-state"),
            (r"G:\Directory\..\secret", r"g:\secret"),
            (r"G:\..\..\secret", r"g:\secret"),
            (r"G:Directory\..", "g:."),
            (r"\\.\pipe\Docker_Engine", r"\\.\pipe\docker_engine"),
            ("//./pipe/docker_engine", "//./pipe/docker_engine"),
            (r"\\?\G:\Directory\..\x", r"\\?\g:\x"),
            (r"\\?\G:", r"\\?\g:"),
            (r"\\fs\share\", r"\\fs\share"),
            (r"//FS/Share//a/../b", r"\\fs\share\b"),
            (r"\\fs\share\..\..\b", r"\\fs\share\b"),
            (r"\Directory\", r"\directory"),
            (r"a\..\C:\x", r".\c:\x"),
            (r"..\x\..", ".."),
            (".", "."),
            ("", ""),
        ] {
            assert_eq!(clean(written), expected, "{written}");
        }
    }

    #[test]
    fn every_form_of_a_path_has_its_kind() {
        let drive = |letter, components: &[&str]| PathKind::Drive {
            letter,
            components: components.iter().map(|part| (*part).to_owned()).collect(),
        };
        for (written, expected) in [
            (r"G:\", drive('g', &[])),
            ("g:/", drive('g', &[])),
            (r"G:\\\", drive('g', &[])),
            (r"G:\Directory\app-state", drive('g', &["directory", "app-state"])),
            (r"\\?\G:\Directory", drive('g', &["directory"])),
            ("G:", PathKind::BareDrive { letter: 'g' }),
            (r"\\?\G:", PathKind::BareDrive { letter: 'g' }),
            (r"G:Directory\x", PathKind::DriveRelative { letter: 'g' }),
            (r"G:Directory\..", PathKind::DriveRelative { letter: 'g' }),
            (r"\\fs\share\Directory", PathKind::Unc),
            ("//fs/share", PathKind::Unc),
            (r"\\?\UNC\fs\share", PathKind::Unc),
            (r"\\.\G:\Directory", PathKind::Device),
            (r"\\?\Volume{0a1b}\", PathKind::Device),
            (r"\\.\pipe\docker_engine", PathKind::Pipe),
            ("//./pipe/docker_engine", PathKind::Pipe),
            (r"\Directory", PathKind::Rootless),
            ("/Directory/app-state", PathKind::Rootless),
            ("app-state", PathKind::Relative { single_word: true }),
            (r"Directory\app-state", PathKind::Relative { single_word: false }),
            (r" G:\Directory", PathKind::Relative { single_word: false }),
            ("", PathKind::Empty),
            ("  ", PathKind::Empty),
        ] {
            assert_eq!(WindowsPath::parse(written).kind, expected, "{written}");
        }
    }

    #[test]
    fn a_mode_is_split_off_but_not_a_directory_named_ro() {
        for (written, mode, kind) in [
            (r"G:\x:ro", Some("ro"), PathKind::Drive { letter: 'g', components: vec!["x".into()] }),
            (r"C:\x:RW", Some("rw"), PathKind::Drive { letter: 'c', components: vec!["x".into()] }),
            ("data:ro", Some("ro"), PathKind::Relative { single_word: true }),
            ("g:ro", None, PathKind::DriveRelative { letter: 'g' }),
            (":ro", None, PathKind::Relative { single_word: false }),
        ] {
            let path = WindowsPath::parse(written);
            assert_eq!((path.mode, path.kind), (mode, kind), "{written}");
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in r#"([gGcC]:|[\\/]{1,4}|\.{1,2}|\?|pipe|unc|[a-zA-Z]{1,3}|İ|Σ| |:|é){0,12}"#) {
            let once = clean(&text);
            let leads_above_drive = once.get(1..3) == Some(":\\") && once.split('\\').any(|part| part == "..");
            prop_assert!(!leads_above_drive, "{once}");
            prop_assert_eq!(clean(&once), once);
        }

        #[test]
        fn any_text_has_a_kind_and_is_clean_after_one_cleaning(text in any::<String>()) {
            WindowsPath::parse(&text);
            let once = clean(&text);
            prop_assert_eq!(clean(&once), once);
        }

        #[test]
        fn a_cleaned_path_keeps_its_kind(text in r#"([gG]:|[\\/]{1,3}|\.{1,2}|\?|pipe|[a-z]{1,3}){0,10}"#) {
            prop_assert_eq!(classify(&clean(&text)), WindowsPath::parse(&clean(&text)).kind);
        }
    }
}
