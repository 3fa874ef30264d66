//! The calls that set and remove attributes of container instances.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{Attribute, TargetType};

use crate::aws::AwsError;
use crate::ids::{ClusterRef, ContainerInstanceArn};

/// Attributes a `PutAttributes` takes, over all its targets.
pub const ATTRIBUTES_A_CALL: usize = 10;

/// One attribute to set: name and value.
pub type NewAttribute = (String, String);

/// Sets attributes in one call. At most [`ATTRIBUTES_A_CALL`] in all; one deregistered target refuses the whole call.
pub async fn put_attributes(
    client: &Client,
    cluster: &ClusterRef,
    writes: &[(&ContainerInstanceArn, &[NewAttribute])],
) -> Result<(), AwsError> {
    let attributes = writes.iter().flat_map(|(arn, attributes)| {
        attributes
            .iter()
            .map(|(name, value)| attribute(arn, name).value(value).build().expect("the name is set"))
    });
    let request =
        client.put_attributes().cluster(cluster.as_str()).set_attributes(Some(attributes.collect())).send();
    request.await.map(|_| ()).map_err(|error| AwsError::ecs("PutAttributes", error))
}

/// Removes attributes in one call, at most [`ATTRIBUTES_A_CALL`] in all. One that is not there is not an error.
pub async fn delete_attributes(
    client: &Client,
    cluster: &ClusterRef,
    removals: &[(&ContainerInstanceArn, Vec<String>)],
) -> Result<(), AwsError> {
    let attributes = removals.iter().flat_map(|(arn, names)| {
        names.iter().map(|name| attribute(arn, name).build().expect("the name is set"))
    });
    let request = client
        .delete_attributes()
        .cluster(cluster.as_str())
        .set_attributes(Some(attributes.collect()))
        .send();
    request.await.map(|_| ()).map_err(|error| AwsError::ecs("DeleteAttributes", error))
}

fn attribute(arn: &ContainerInstanceArn, name: &str) -> aws_sdk_ecs::types::builders::AttributeBuilder {
    Attribute::builder().name(name).target_type(TargetType::ContainerInstance).target_id(arn.short_id())
}
