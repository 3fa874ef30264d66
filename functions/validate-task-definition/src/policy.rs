//! What the rules measure against: the drive, the share behind it, and what the customer allows.

use shared::config::ValidatorConfig;
use shared::share::{DriveLetter, RemotePath};

use crate::path::WindowsPath;

/// What the rules measure against.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The drive that the share is mapped to.
    pub drive: DriveLetter,
    /// The share, where known.
    pub remote: Option<RemotePath>,
    /// Where sources on the drive must lie.
    pub allowed_prefix: Option<SourcePrefix>,
    /// In a cluster audit, a missing readiness constraint is an error.
    pub require_readiness: bool,
}

/// A directory on the drive, such as `G:\Directory`.
#[derive(Debug, Clone)]
pub struct SourcePrefix {
    /// As configured.
    pub text: String,
    /// Its components below the drive, in lower case.
    pub components: Vec<String>,
}

impl SourcePrefix {
    /// Reads a prefix; `None` where it is no absolute path on the drive.
    pub fn parse(text: &str, drive: DriveLetter) -> Option<SourcePrefix> {
        let path = WindowsPath::parse(text);
        let components = path.below_drive(drive.letter())?.to_vec();
        Some(SourcePrefix { text: text.to_owned(), components })
    }
}

impl Policy {
    /// The policy of a deployed function.
    pub fn new(config: &ValidatorConfig) -> Policy {
        let drive = config.share.drive;
        let prefix = config.allowed_source_prefix.as_deref();
        Policy {
            drive,
            remote: Some(config.share.remote.clone()),
            // The configuration has checked that it is an absolute path on the drive.
            allowed_prefix: prefix.and_then(|text| SourcePrefix::parse(text, drive)),
            require_readiness: config.require_readiness_constraint,
        }
    }

    /// A policy that knows the drive alone.
    pub fn of_drive(drive: DriveLetter) -> Policy {
        Policy { drive, remote: None, allowed_prefix: None, require_readiness: false }
    }

    /// The attribute that says whether the share is mapped: `smb.G`.
    pub fn gate(&self) -> String {
        format!("smb.{}", self.drive.letter())
    }

    /// What keeps a task off an instance without the share: `attribute:smb.G == mapped`.
    pub fn readiness_expression(&self) -> String {
        format!("attribute:{} == mapped", self.gate())
    }

    /// The path on the drive that a UNC path below the share means: `\\fs\share\app` is `G:\app`.
    pub fn on_drive(&self, unc: &str) -> Option<String> {
        let remote = self.remote.as_ref()?.as_str();
        let path = unc.replace('/', "\\");
        let head = path.get(..remote.len())?;
        let rest = path.get(remote.len()..)?;
        let is_below = head.eq_ignore_ascii_case(remote) && (rest.is_empty() || rest.starts_with('\\'));
        is_below.then(|| format!(r"{}\{}", self.drive, rest.trim_matches('\\')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_the_share_is_found_on_the_drive() {
        let mut policy = Policy::of_drive(DriveLetter::parse("G").unwrap());
        assert_eq!(policy.on_drive(r"\\fs\share\app"), None);
        policy.remote = RemotePath::parse(r"\\fs.example.com\share\Directory");
        for (unc, expected) in [
            (r"\\FS.example.com\share\directory\app", Some(r"G:\app")),
            ("//fs.example.com/share/Directory", Some(r"G:\")),
            (r"\\fs.example.com\share\Directory2", None),
            (r"\\fs.example.com\share", None),
            (r"\\é", None),
        ] {
            assert_eq!(policy.on_drive(unc).as_deref(), expected, "{unc}");
        }
    }
}
