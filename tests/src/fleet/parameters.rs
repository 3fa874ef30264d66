//! The two Parameter Store parameters. Their values are readable for the script model alone.

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
    /// Its name.
    pub name: String,
    /// `SecureString` rather than `String`.
    pub secure: bool,
    /// Counts every write.
    pub version: u64,
    /// When it was last written.
    pub modified: Timestamp,
    /// What becomes of a host that asks for it.
    pub readable: Readable,
    value: String,
}

/// What `GetParameters` on a host gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// The value.
    Yes,
    /// There is no such parameter; `DescribeParameters` does not list it either.
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

    /// Those that exist.
    pub fn existing(&self) -> impl Iterator<Item = &Parameter> {
        [&self.user, &self.password].into_iter().filter(|one| one.readable != Readable::Missing)
    }

    /// One `GetParameters` for both, as the script makes it: the values, or the cause that it reports.
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
    /// Somebody writes it.
    pub fn write(&mut self, value: &str, now: Timestamp) {
        value.clone_into(&mut self.value);
        self.version += 1;
        self.modified = now;
    }
}
