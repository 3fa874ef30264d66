//! What a task definition must comply with: the drive, the share behind it, and the customer's settings.

use shared::config::ValidatorConfig;
use shared::share::{DriveLetter, RemotePath};

use crate::path::WindowsPath;

/// What a task definition must comply with.
#[derive(Debug, Clone)]
pub struct Requirements {
    /// The drive that the share is mapped to.
    pub drive: DriveLetter,
    /// The share, if it is known.
    pub remote: Option<RemotePath>,
    /// The directory in which sources on the drive must be.
    pub allowed_prefix: Option<SourcePrefix>,
    /// Whether a missing readiness constraint is an error in a cluster audit.
    pub require_readiness: bool,
}

/// A directory on the drive, such as `G:\Directory`.
#[derive(Debug, Clone)]
pub struct SourcePrefix {
    /// The configured text.
    pub text: String,
    /// The components below the drive, in lower case.
    pub components: Vec<String>,
}

impl SourcePrefix {
    /// Reads a prefix; `None` where it is not an absolute path on the drive.
    pub fn parse(text: &str, drive: DriveLetter) -> Option<SourcePrefix> {
        let path = WindowsPath::parse(text);
        let components = path.below_drive(drive.letter())?.to_vec();
        Some(SourcePrefix { text: text.to_owned(), components })
    }
}

impl Requirements {
    /// The requirements of the deployed function.
    pub fn new(config: &ValidatorConfig) -> Requirements {
        let drive = config.share.drive;
        let prefix = config.allowed_source_prefix.as_deref();
        Requirements {
            drive,
            remote: Some(config.share.remote.clone()),
            // The configuration allows only an absolute path on the drive.
            allowed_prefix: prefix.and_then(|text| SourcePrefix::parse(text, drive)),
            require_readiness: config.require_readiness_constraint,
        }
    }

    /// The drive alone.
    pub fn of_drive(drive: DriveLetter) -> Requirements {
        Requirements { drive, remote: None, allowed_prefix: None, require_readiness: false }
    }

    /// The name of the gate attribute: `smb.G`.
    pub fn gate(&self) -> String {
        format!("smb.{}", self.drive.letter())
    }

    /// The constraint that allows only instances with the mapped share: `attribute:smb.G == mapped`.
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
        let mut requirements = Requirements::of_drive(DriveLetter::parse("G").unwrap());
        assert_eq!(requirements.on_drive(r"\\fs\share\app"), None);
        requirements.remote = RemotePath::parse(r"\\fs.example.com\share\Directory");
        for (unc, expected) in [
            (r"\\FS.example.com\share\directory\app", Some(r"G:\app")),
            ("//fs.example.com/share/Directory", Some(r"G:\")),
            (r"\\fs.example.com\share\Directory2", None),
            (r"\\fs.example.com\share", None),
            (r"\\é", None),
        ] {
            assert_eq!(requirements.on_drive(unc).as_deref(), expected, "{unc}");
        }
    }
}
