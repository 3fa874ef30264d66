//! Paths as the ECS agent and Docker on Windows treat them: cleaned, classified, compared.
//!
//! It looks at text only. Whether a directory exists on the share is known to the instance alone, and Docker on
//! Windows does not create it.
//!
//! Sources: `getCanonicalPath` in the ECS agent's `agent/api/task/task_windows.go` (lower case, then Go's
//! `filepath.Clean`; bare drives and named pipes are left alone) and Docker's `volume/mounts/windows_parser.go` (what
//! may stand on either side of a bind).

/// A path of a task definition: the text as it was written, and what it is on Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowsPath {
    /// What kind of path it is.
    pub kind: Kind,
    /// `ro` or `rw` where the path ends in `:ro` or `:rw`, as `docker run -v` takes it; `kind` is without it.
    pub mode: Option<&'static str>,
    /// Whether a component is `..`; `kind` is cleaned of it.
    pub traverses: bool,
}

/// What a path is on Windows. Letters and components are in lower case and cleaned: no empty one, no `.`, no `..`
/// that could be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or white space only.
    Empty,
    /// Known at deployment only; no rule says anything about it.
    Unresolved,
    /// `\\.\pipe\name`.
    Pipe,
    /// `g:\`, `g:\directory`, also behind `\\?\`: the only absolute path that a bind mount takes.
    Drive {
        /// `g`.
        letter: char,
        /// `["directory", "app-state"]`; empty for the root.
        components: Vec<String>,
    },
    /// `g:` without a separator: fine inside the container, refused by Docker as a source.
    BareDrive {
        /// `g`.
        letter: char,
    },
    /// `g:directory`: relative to whatever the current directory of that drive is.
    DriveRelative {
        /// `g`.
        letter: char,
    },
    /// `\\server\share`, also behind `\\?\UNC\`.
    Unc,
    /// Another `\\.\` or `\\?\` path, such as a volume's GUID.
    Device,
    /// `\directory` or `/directory`: no drive.
    Rootless,
    /// `directory` or `directory\app-state`.
    Relative {
        /// A single word: Docker takes it for the name of a volume of its own.
        single_word: bool,
    },
}

impl WindowsPath {
    /// A path that is known at deployment only.
    pub const UNRESOLVED: WindowsPath = WindowsPath { kind: Kind::Unresolved, mode: None, traverses: false };

    /// Reads a path. Total: every text is of some kind.
    pub fn parse(text: &str) -> WindowsPath {
        let (base, mode) = split_mode(text);
        let traverses = base.split(is_separator).any(|part| part == "..");
        WindowsPath { kind: classify(&clean(base)), mode, traverses }
    }

    /// Whether it lies on the drive `letter`, or tries to: `g:\…`, `g:` and `g:directory`.
    pub fn names_drive(&self, letter: char) -> bool {
        let own = match &self.kind {
            Kind::Drive { letter, .. } | Kind::BareDrive { letter } | Kind::DriveRelative { letter } => {
                letter
            }
            _ => return false,
        };
        own.eq_ignore_ascii_case(&letter)
    }

    /// The cleaned components below the root of the drive `letter`; `None` for any other path.
    pub fn below_drive(&self, letter: char) -> Option<&[String]> {
        match &self.kind {
            Kind::Drive { letter: own, components } if own.eq_ignore_ascii_case(&letter) => Some(components),
            _ => None,
        }
    }

    /// Whether it may stand as a bind mount's source: an absolute path on a drive, or a named pipe.
    pub fn is_valid_source(&self) -> bool {
        matches!(self.kind, Kind::Drive { .. } | Kind::Pipe | Kind::Unresolved)
    }
}

/// The path as the ECS agent compares it: lower case, backslashes, no doubled or trailing separator, no `.`, and `..`
/// resolved. Bare drives and named pipes are left alone but for their case; an empty path stays empty. Cleaning what
/// is clean changes nothing.
pub fn clean(text: &str) -> String {
    resolve(&text.to_lowercase())
}

/// The same with upper and lower case kept, to be shown.
pub fn resolve(text: &str) -> String {
    if text.is_empty() || is_bare_drive(text) || is_pipe(text) {
        return text.to_owned();
    }
    let text = text.replace('/', r"\");
    let (volume, rest) = split_volume(&text);
    // `\\server` counts as rooted: what follows server and share can only be below them.
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
        // Server and share are a volume by themselves; a separator behind them says nothing.
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

/// Whether anything on Linux would read the text otherwise: a drive letter, or a backslash.
pub fn only_windows_can_mean(text: &str) -> bool {
    text.contains('\\') || is_pipe(text) || has_drive(text)
}

/// Splits `:ro` or `:rw` off the end of what is a path without it.
fn split_mode(text: &str) -> (&str, Option<&'static str>) {
    for (suffix, mode) in [(":ro", "ro"), (":rw", "rw")] {
        let Some(at) = text.len().checked_sub(suffix.len()) else { continue };
        // A single letter before the colon is a drive: `g:ro` is the directory `ro` on it.
        if at > 1 && text.is_char_boundary(at) && text[at..].eq_ignore_ascii_case(suffix) {
            return (&text[..at], Some(mode));
        }
    }
    (text, None)
}

fn classify(clean: &str) -> Kind {
    if clean.trim().is_empty() {
        return Kind::Empty;
    }
    if is_pipe(clean) {
        return Kind::Pipe;
    }
    let path = if is_verbatim_drive(clean) { &clean[4..] } else { clean };
    if has_drive(path) {
        let letter = path.as_bytes()[0] as char;
        let rest = &path[2..];
        return match rest.strip_prefix('\\') {
            Some(below) => {
                let components =
                    below.split('\\').filter(|part| !part.is_empty()).map(str::to_owned).collect();
                Kind::Drive { letter, components }
            }
            None if rest.is_empty() => Kind::BareDrive { letter },
            None => Kind::DriveRelative { letter },
        };
    }
    if path.starts_with(r"\\?\unc\") {
        return Kind::Unc;
    }
    if path.starts_with(r"\\.") || path.starts_with(r"\\?") {
        return Kind::Device;
    }
    if path.starts_with(r"\\") {
        return Kind::Unc;
    }
    if path.starts_with('\\') {
        return Kind::Rootless;
    }
    Kind::Relative { single_word: !path.contains('\\') }
}

/// Splits a lower-case text with backslashes into what cleaning must not touch (a drive, server and share) and the rest.
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

/// `\\?\g:…`, with backslashes only, as Docker takes it.
fn is_verbatim_drive(text: &str) -> bool {
    text.starts_with(r"\\?\") && has_drive(&text[4..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_cleaned_as_the_agent_cleans_them() {
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
    fn every_way_to_write_a_path_has_its_kind() {
        let drive = |letter, components: &[&str]| Kind::Drive {
            letter,
            components: components.iter().map(|part| (*part).to_owned()).collect(),
        };
        for (written, expected) in [
            (r"G:\", drive('g', &[])),
            ("g:/", drive('g', &[])),
            (r"G:\\\", drive('g', &[])),
            (r"G:\Directory\app-state", drive('g', &["directory", "app-state"])),
            (r"\\?\G:\Directory", drive('g', &["directory"])),
            ("G:", Kind::BareDrive { letter: 'g' }),
            (r"\\?\G:", Kind::BareDrive { letter: 'g' }),
            (r"G:Directory\x", Kind::DriveRelative { letter: 'g' }),
            (r"G:Directory\..", Kind::DriveRelative { letter: 'g' }),
            (r"\\fs\share\Directory", Kind::Unc),
            ("//fs/share", Kind::Unc),
            (r"\\?\UNC\fs\share", Kind::Unc),
            (r"\\.\G:\Directory", Kind::Device),
            (r"\\?\Volume{0a1b}\", Kind::Device),
            (r"\\.\pipe\docker_engine", Kind::Pipe),
            ("//./pipe/docker_engine", Kind::Pipe),
            (r"\Directory", Kind::Rootless),
            ("/Directory/app-state", Kind::Rootless),
            ("app-state", Kind::Relative { single_word: true }),
            (r"Directory\app-state", Kind::Relative { single_word: false }),
            (r" G:\Directory", Kind::Relative { single_word: false }),
            ("", Kind::Empty),
            ("  ", Kind::Empty),
        ] {
            assert_eq!(WindowsPath::parse(written).kind, expected, "{written}");
        }
    }

    #[test]
    fn a_mode_is_split_off_but_not_a_directory_called_ro() {
        for (written, mode, kind) in [
            (r"G:\x:ro", Some("ro"), Kind::Drive { letter: 'g', components: vec!["x".into()] }),
            (r"C:\x:RW", Some("rw"), Kind::Drive { letter: 'c', components: vec!["x".into()] }),
            ("data:ro", Some("ro"), Kind::Relative { single_word: true }),
            ("g:ro", None, Kind::DriveRelative { letter: 'g' }),
            (":ro", None, Kind::Relative { single_word: false }),
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
        fn any_text_is_of_some_kind_and_cleans_once(text in any::<String>()) {
            WindowsPath::parse(&text);
            let once = clean(&text);
            prop_assert_eq!(clean(&once), once);
        }

        #[test]
        fn what_is_cleaned_keeps_its_kind(text in r#"([gG]:|[\\/]{1,3}|\.{1,2}|\?|pipe|[a-z]{1,3}){0,10}"#) {
            prop_assert_eq!(classify(&clean(&text)), WindowsPath::parse(&clean(&text)).kind);
        }
    }
}
