//! The two Parameter Store parameters. Only the model of the script reads their values.

use jiff::Timestamp;

/// The two parameters that hold the credential.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// `domainUserName`, a `String`.
    pub user: Parameter,
    /// `domainUserPassword`, a `SecureString`.
    pub password: Parameter,
}

/// One parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// Whether it is a `SecureString`.
    pub secure: bool,
    /// The version, which increases with every write.
    pub version: u64,
    /// The time of the last write.
    pub modified: Timestamp,
    /// The result of reading it on a host.
    pub readable: Readable,
    value: String,
}

/// The result of `GetParameters` on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readable {
    /// The value.
    Yes,
    /// The parameter does not exist; `DescribeParameters` does not list it either.
    Missing,
    /// The instance role may not read it.
    Denied,
    /// The instance role may not use its key.
    KmsDenied,
    /// Parameter Store does not answer, or throttles.
    Unreachable,
}

impl Parameters {
    pub(crate) fn new(user: &str, password: &str, modified: Timestamp) -> Self {
        let parameter = |name: &str, secure, value: &str| Parameter {
            name: name.to_owned(),
            secure,
            version: 1,
            modified,
            readable: Readable::Yes,
            value: value.to_owned(),
        };
        Self {
            user: parameter("domainUserName", false, user),
            password: parameter("domainUserPassword", true, password),
        }
    }

    /// The parameters that exist.
    pub fn existing(&self) -> impl Iterator<Item = &Parameter> {
        [&self.user, &self.password].into_iter().filter(|one| one.readable != Readable::Missing)
    }

    /// The password, whether or not a host can read it.
    pub(crate) fn password(&self) -> &str {
        &self.password.value
    }

    /// The script's one `GetParameters` for both: the values, or the cause that the script reports.
    pub(crate) fn fetch(&self) -> Result<(&str, &str), &'static str> {
        for one in [&self.user, &self.password] {
            match one.readable {
                Readable::Yes => {}
                Readable::Missing => return Err("parameter-missing"),
                Readable::Denied => return Err("parameter-denied"),
                Readable::KmsDenied => return Err("kms-denied"),
                Readable::Unreachable => return Err("parameter-store"),
            }
            if one.value.is_empty() || one.value.contains(['\r', '\n']) {
                return Err("bad-credentials");
            }
        }
        Ok((&self.user.value, &self.password.value))
    }
}

impl Parameter {
    /// The type as Parameter Store spells it.
    pub(crate) fn kind(&self) -> &'static str {
        if self.secure { "SecureString" } else { "String" }
    }

    /// Writes a value.
    pub fn write(&mut self, value: &str, now: Timestamp) {
        value.clone_into(&mut self.value);
        self.version += 1;
        self.modified = now;
    }
}
