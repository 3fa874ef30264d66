//! Packs attribute writes into as few `PutAttributes` calls as possible. The attributes that one write sets on an
//! instance are always in one call.

use std::collections::VecDeque;

use aws_sdk_ecs::Client;

use super::attributes::{ATTRIBUTES_A_CALL, NewAttribute, put_attributes};
use crate::aws::AwsError;
use crate::ids::{ClusterRef, ContainerInstanceArn};
use crate::pace::Pace;

/// What is to be set on one instance.
#[derive(Debug)]
pub struct AttributeWrite<'a, T> {
    /// The instance.
    pub arn: &'a ContainerInstanceArn,
    /// At most [`ATTRIBUTES_A_CALL`] names and values.
    pub attributes: Vec<NewAttribute>,
    /// What the caller recognises the write by.
    pub subject: T,
}

/// What became of the writes of one call.
#[derive(Debug)]
pub enum WriteResult {
    /// ECS has them.
    Written,
    /// The instance was deregistered in the meantime. The call named no other.
    Gone,
    /// The call failed, and nothing was written.
    Failed(AwsError),
}

/// So many targets refused in a row: the reason is not one of them.
const REFUSED_IN_A_ROW: usize = ATTRIBUTES_A_CALL;

/// The writes to one cluster that are still to be made, in order.
#[derive(Debug)]
pub struct AttributeWrites<'a, T> {
    cluster: &'a ClusterRef,
    groups: VecDeque<Vec<AttributeWrite<'a, T>>>,
    /// Targets that were refused alone since the last success.
    refused: usize,
}

impl<'a, T> AttributeWrites<'a, T> {
    /// Packs the writes in their order.
    pub fn pack(cluster: &'a ClusterRef, writes: impl IntoIterator<Item = AttributeWrite<'a, T>>) -> Self {
        let mut groups: VecDeque<Vec<AttributeWrite<'a, T>>> = VecDeque::new();
        let mut room = 0;
        for write in writes {
            let size = write.attributes.len();
            match groups.back_mut() {
                Some(group) if size <= room => {
                    group.push(write);
                    room -= size;
                }
                _ => {
                    groups.push_back(vec![write]);
                    room = ATTRIBUTES_A_CALL.saturating_sub(size);
                }
            }
        }
        AttributeWrites { cluster, groups, refused: 0 }
    }

    /// Makes the next writes, and says which and what became of them; `None` when none is left. ECS refuses a whole call
    /// for one of its targets, without saying which: such a call is repeated in halves.
    pub async fn write_next(
        &mut self,
        client: &Client,
        pace: &mut Pace,
    ) -> Option<(Vec<AttributeWrite<'a, T>>, WriteResult)> {
        loop {
            let mut group = self.groups.pop_front()?;
            pace.turn().await;
            let request: Vec<_> =
                group.iter().map(|write| (write.arn, write.attributes.as_slice())).collect();
            let result = match put_attributes(client, self.cluster, &request).await {
                Ok(()) => {
                    self.refused = 0;
                    WriteResult::Written
                }
                Err(error)
                    if error.may_be_one_targets() && group.len() > 1 && self.refused < REFUSED_IN_A_ROW =>
                {
                    let second = group.split_off(group.len() / 2);
                    self.groups.push_front(second);
                    self.groups.push_front(group);
                    continue;
                }
                Err(error) if error.is_target_gone() && group.len() == 1 => WriteResult::Gone,
                Err(error) => {
                    self.refused += usize::from(error.may_be_one_targets());
                    WriteResult::Failed(error)
                }
            };
            return Some((group, result));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs writes of so many attributes each; gives back the sizes of the writes in each call.
    fn packed(sizes: &[usize]) -> Vec<Vec<usize>> {
        let arn = "arn:aws:ecs:eu-west-1:111122223333:container-instance/windows/1";
        let arn = ContainerInstanceArn::parse(arn).unwrap();
        let cluster = ClusterRef::parse("windows").unwrap();
        let writes = sizes.iter().map(|size| AttributeWrite {
            arn: &arn,
            attributes: vec![("smb.G".to_owned(), "mapped".to_owned()); *size],
            subject: *size,
        });
        let groups = AttributeWrites::pack(&cluster, writes).groups;
        groups.iter().map(|group| group.iter().map(|write| write.subject).collect()).collect()
    }

    #[test]
    fn a_call_is_filled_and_no_write_is_split() {
        let table: [(&[usize], Vec<Vec<usize>>); 5] = [
            (&[], vec![]),
            (&[2; 6], vec![vec![2; 5], vec![2]]),
            (&[1; 11], vec![vec![1; 10], vec![1]]),
            (&[2, 2, 2, 2, 1, 2, 1], vec![vec![2, 2, 2, 2, 1], vec![2, 1]]),
            (&[3, 3, 3, 3], vec![vec![3, 3, 3], vec![3]]),
        ];
        for (sizes, expected) in table {
            assert_eq!(packed(sizes), expected, "{sizes:?}");
        }
    }
}
