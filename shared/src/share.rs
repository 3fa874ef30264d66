//! The share and the drive letter it is mapped to.
//!
//! Paths are compared as SMB does: without case, with slashes of either kind, and without a trailing one. Whether the server
//! exists is not checked.

use std::fmt;

/// A drive letter from `D` to `Z`, upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DriveLetter(char);

impl DriveLetter {
    /// Reads one letter, in either case, with or without its colon. `A` to `C` belong to floppy disks and Windows.
    pub fn parse(text: &str) -> Option<Self> {
        let letter = text.strip_suffix(':').unwrap_or(text);
        let mut chars = letter.chars();
        match (chars.next().map(|c| c.to_ascii_uppercase()), chars.next()) {
            (Some(c @ 'D'..='Z'), None) => Some(DriveLetter(c)),
            _ => None,
        }
    }

    /// The letter alone, e.g. `G`.
    pub fn letter(self) -> char {
        self.0
    }
}

impl fmt::Display for DriveLetter {
    /// With its colon, e.g. `G:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.0)
    }
}

/// An SMB path, `\\server\share` or `\\server\share\directory`, with backslashes and without a trailing one.
#[derive(Debug, Clone)]
pub struct RemotePath(String);

impl RemotePath {
    /// Reads a UNC path; forward slashes are taken for backslashes. `None` where the server, the share or a component
    /// is missing or holds a character that Windows refuses.
    pub fn parse(text: &str) -> Option<Self> {
        let path = text.replace('/', "\\");
        let path = path.trim_end_matches('\\');
        let components: Vec<&str> = path.strip_prefix("\\\\")?.split('\\').collect();
        let [server, _share, ..] = components.as_slice() else { return None };
        let server_is_valid = server.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        let valid =
            server_is_valid && components.iter().all(|c| is_component(c)) && path.chars().count() <= 255;
        valid.then(|| RemotePath(path.to_owned()))
    }

    /// As it is written, e.g. `\\fs.corp.example.com\share`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The server's name, e.g. `fs.corp.example.com`.
    pub fn server(&self) -> &str {
        self.0[2..].split('\\').next().unwrap_or_default()
    }

    /// The last component: the directory's name, or the share's.
    pub fn last_component(&self) -> &str {
        self.0.rsplit('\\').next().unwrap_or_default()
    }

    /// Whether another spelling names the same path.
    pub fn is_same(&self, other: &str) -> bool {
        let other = other.replace('/', "\\");
        self.0.to_lowercase() == other.trim_end_matches('\\').to_lowercase()
    }
}

fn is_component(text: &str) -> bool {
    !text.is_empty()
        && text != "."
        && text != ".."
        && !text.ends_with(' ')
        && !text.starts_with(' ')
        && !text.chars().any(|c| c.is_control() || "<>:\"|?*".contains(c))
}

impl PartialEq for RemotePath {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(&other.0)
    }
}

impl Eq for RemotePath {}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which share is mapped to which letter. A result line must name both to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareMapping {
    /// The letter on every host.
    pub drive: DriveLetter,
    /// The share behind it.
    pub remote: RemotePath,
}

impl ShareMapping {
    /// Whether a result line's drive and remote path are this mapping.
    pub fn is_same(&self, drive: &str, remote: &str) -> bool {
        DriveLetter::parse(drive) == Some(self.drive) && self.remote.is_same(remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drive_letters_are_d_to_z() {
        for (text, expected) in [("G", Some('G')), ("g:", Some('G')), ("D", Some('D')), ("z", Some('Z'))] {
            assert_eq!(DriveLetter::parse(text).map(DriveLetter::letter), expected, "{text:?}");
        }
        for bad in ["", "A", "C", "c:", "GG", "G:\\", "1", "é", ":"] {
            assert_eq!(DriveLetter::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn remote_paths_are_compared_without_case_slashes_and_trailing_ones() {
        let path = RemotePath::parse(r"\\fs.corp.example.com\share\Directory").unwrap();
        for same in [
            r"\\FS.corp.example.com\SHARE\directory",
            "//fs.corp.example.com/share/Directory/",
            r"\\fs.corp.example.com\share\Directory\\",
        ] {
            assert!(path.is_same(same), "{same}");
        }
        assert!(!path.is_same(r"\\fs.corp.example.com\share"));
        assert_eq!((path.server(), path.last_component()), ("fs.corp.example.com", "Directory"));
    }

    #[test]
    fn paths_that_name_no_share_are_refused() {
        for bad in [
            "",
            r"\\",
            r"\\fs",
            r"\\fs\",
            r"G:\x",
            r"\fs\share",
            r"\\fs\share\..\x",
            r"\\fs\sh|are",
            "\\\\fs\\sh\nare",
            r"\\f s\share",
            r"\\fs\\share",
        ] {
            assert!(RemotePath::parse(bad).is_none(), "{bad:?}");
        }
        for good in [
            r"\\fs\share$",
            r"\\10.0.0.5\share",
            r"\\fs\share\with space\deep",
            r"\\amznfsxabcdef12.corp.local\s",
        ] {
            assert!(RemotePath::parse(good).is_some(), "{good:?}");
        }
    }
}
