//! Eventual consistency: reads lag behind writes by [`Lag::ecs`](crate::local_aws::Lag). Writes see the current state.

use std::ops::Bound;
use std::sync::Arc;

use super::ContainerInstance;
use crate::local_aws::LocalAws;

impl LocalAws {
    /// Keeps the current version of an instance, which is about to change, for late readers.
    pub(crate) fn keep_version(&mut self, cluster: &str, id: &Arc<str>) {
        if self.lag.ecs.is_zero() {
            return;
        }
        let (now, seen) = (self.now, self.now - self.lag.ecs);
        let cluster = self.ecs.cluster_mut(cluster);
        let before = cluster.instances.get(id).cloned();
        let past = cluster.past.entry(id.clone()).or_default();
        past.retain(|(changed, _)| *changed > seen);
        past.push((now, before));
    }

    /// A container instance as a late reader sees it.
    pub(crate) fn visible(&self, cluster: &str, id: &str) -> Option<&ContainerInstance> {
        let cluster = self.ecs.clusters.get(cluster)?;
        let seen = self.now - self.lag.ecs;
        let past = cluster.past.get(id).map(Vec::as_slice).unwrap_or_default();
        match past.iter().find(|(changed, _)| *changed > seen) {
            Some((_, before)) => before.as_ref(),
            None => cluster.instances.get(id),
        }
    }

    /// The container instances of a cluster from an id on, as a late reader sees them.
    pub(crate) fn visible_from(
        &self,
        cluster: &str,
        from: Bound<&str>,
    ) -> impl Iterator<Item = &ContainerInstance> {
        let state = &self.ecs.clusters[cluster];
        let on_time = state.past.is_empty();
        let cluster = cluster.to_owned();
        state
            .instances
            .range::<str, _>((from, Bound::Unbounded))
            .filter_map(move |(id, now)| if on_time { Some(now) } else { self.visible(&cluster, id) })
    }
}
