//! Identifiers of AWS resources, each kind with a type of its own.
//!
//! Only the form that AWS documents is checked, not whether the resource exists.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::text;

/// Text that is not the identifier that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {expected}")]
pub struct InvalidId {
    /// The offending text, cut and made fit for a log line.
    pub value: String,
    /// What it should have been.
    pub expected: &'static str,
}

impl InvalidId {
    fn new(value: &str, expected: &'static str) -> Self {
        InvalidId { value: text::clean(value, 200), expected }
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

id! {
    /// An EC2 instance: `i-` and 8 or 17 word characters. External instances (`mi-…`) are not EC2 instances.
    InstanceId
}

impl InstanceId {
    /// Reads an EC2 instance id; surrounding white space is dropped, since events have been seen with a leading space.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let id = text.trim();
        let valid = id.strip_prefix("i-").is_some_and(|rest| {
            matches!(rest.len(), 8 | 17) && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
        if valid {
            Ok(InstanceId(id.into()))
        } else {
            Err(InvalidId::new(text, "an EC2 instance id: i- and 8 or 17 letters or digits"))
        }
    }
}

id! {
    /// An ECS cluster's ARN: `arn:aws:ecs:eu-west-1:111122223333:cluster/windows`.
    ClusterArn
}

impl ClusterArn {
    /// Reads a cluster ARN of any partition.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        match ecs_resource(text, "cluster/") {
            Some(name) if is_cluster_name(name) => Ok(ClusterArn(text.into())),
            _ => {
                Err(InvalidId::new(text, "an ECS cluster ARN: arn:PARTITION:ecs:REGION:ACCOUNT:cluster/NAME"))
            }
        }
    }

    /// The name behind the last slash.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// Whether ECS takes the text as a cluster's name: 1 to 255 letters, digits, `-` and `_`.
pub fn is_cluster_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

id! {
    /// A container instance's ARN, in the long form with the cluster's name or in the old one without.
    ContainerInstanceArn
}

impl ContainerInstanceArn {
    /// Reads a container instance ARN.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        match ecs_resource(text, "container-instance/") {
            Some(rest) if !rest.is_empty() && rest.split('/').count() <= 2 => {
                Ok(ContainerInstanceArn(text.into()))
            }
            _ => Err(InvalidId::new(
                text,
                "a container instance ARN: arn:PARTITION:ecs:REGION:ACCOUNT:container-instance/CLUSTER/ID",
            )),
        }
    }

    /// The id behind the last slash, as `PutAttributes` takes it.
    pub fn short_id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

id! {
    /// A Run Command command: one `SendCommand`, which fans out into one invocation an instance.
    CommandId
}

impl CommandId {
    /// Takes what SSM returned; only the empty text is refused.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() { Err(InvalidId::new(text, "a command id")) } else { Ok(CommandId(text.into())) }
    }
}

/// The part of an ECS ARN behind `kind`, e.g. `cluster/`.
fn ecs_resource<'a>(arn: &'a str, kind: &str) -> Option<&'a str> {
    let mut parts = arn.splitn(6, ':');
    let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let account_is_valid = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    (prefix == "arn"
        && partition.starts_with("aws")
        && service == "ecs"
        && !region.is_empty()
        && account_is_valid)
        .then_some(resource)?
        .strip_prefix(kind)
}

/// A cluster as the configuration names it: by ARN, or by name in the function's own account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ClusterRef(String);

impl ClusterRef {
    /// Reads an ARN or a name.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_cluster_name(text) || ClusterArn::parse(text).is_ok() {
            Ok(ClusterRef(text.to_owned()))
        } else {
            Err(InvalidId::new(text, "a cluster ARN, or a cluster's name of letters, digits, - and _"))
        }
    }

    /// As the ECS API takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The cluster's name alone.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Whether an event's cluster is this one. A bare name is compared by name alone; an instance is described in our
    /// own account before anything is done with it, so another account's cluster of that name gains nothing.
    pub fn matches(&self, arn: &ClusterArn) -> bool {
        if self.0.starts_with("arn:") { *self.0 == *arn.0 } else { self.0 == arn.name() }
    }
}

impl fmt::Display for ClusterRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_ids_are_read_with_surrounding_space_and_external_ones_are_refused() {
        assert_eq!(InstanceId::parse(" i-0123456789abcdef0").unwrap().as_str(), "i-0123456789abcdef0");
        assert!(InstanceId::parse("i-1a2b3c4d").is_ok());
        for bad in
            ["", "i-", "i-123", "mi-0123456789abcdef0", "i-0123456789abcdef01", "I-1a2b3c4d", "i-1a2b3c4é"]
        {
            assert!(InstanceId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn arns_of_all_partitions_are_read() {
        for partition in ["aws", "aws-cn", "aws-us-gov"] {
            let arn = format!("arn:{partition}:ecs:eu-west-1:111122223333:cluster/windows");
            assert_eq!(ClusterArn::parse(&arn).unwrap().name(), "windows");
        }
        for bad in [
            "windows",
            "arn:aws:ecs:eu-west-1:111122223333:cluster/",
            "arn:aws:ecs:eu-west-1:1111:cluster/windows",
            "arn:aws:ec2:eu-west-1:111122223333:cluster/windows",
            "arn:aws:ecs:eu-west-1:111122223333:service/windows",
        ] {
            assert!(ClusterArn::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn container_instance_arns_give_their_short_id_in_both_forms() {
        for arn in [
            "arn:aws:ecs:eu-west-1:111122223333:container-instance/windows/0123abcd",
            "arn:aws:ecs:eu-west-1:111122223333:container-instance/0123abcd",
        ] {
            assert_eq!(ContainerInstanceArn::parse(arn).unwrap().short_id(), "0123abcd");
        }
        assert!(ContainerInstanceArn::parse("arn:aws:ecs:eu-west-1:111122223333:cluster/windows").is_err());
    }

    #[test]
    fn a_cluster_given_by_arn_matches_only_that_arn() {
        let arn = ClusterArn::parse("arn:aws:ecs:eu-west-1:111122223333:cluster/windows").unwrap();
        let other = ClusterArn::parse("arn:aws:ecs:eu-west-1:444455556666:cluster/windows").unwrap();
        assert!(ClusterRef::parse(arn.as_str()).unwrap().matches(&arn));
        assert!(!ClusterRef::parse(arn.as_str()).unwrap().matches(&other));
        assert!(ClusterRef::parse("windows").unwrap().matches(&other));
        assert!(!ClusterRef::parse("linux").unwrap().matches(&arn));
        assert!(ClusterRef::parse("two words").is_err());
    }
}
