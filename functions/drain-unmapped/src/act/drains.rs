//! The calls of one drain, one instance at a time: read again, said on the instance before it is done, and after.

use aws_sdk_ecs::types::ContainerInstanceStatus;
use shared::cause::Cause;
use shared::ecs::{self, ContainerInstance, EcsError, Status};
use shared::state::{Drain, Gate};

use super::{Pace, failed, instance_id};
use crate::App;
use crate::drain::drain_budget;
use crate::statistics::RunStatistics;

/// What a drain step leaves behind: the record as it now stands, or nothing changed.
pub(super) type Stands = Result<Option<ContainerInstance>, EcsError>;

async fn read_again(app: &App, record: &ContainerInstance) -> Result<Option<ContainerInstance>, EcsError> {
    let arns = [record.arn.clone()];
    let again =
        ecs::describe_container_instances(app.clients.ecs(), &record.cluster, &app.names, &arns).await?;
    Ok(again.into_iter().next())
}

async fn put_drain(
    app: &App,
    pace: &mut Pace,
    record: &ContainerInstance,
    drain: &Drain,
) -> Result<(), EcsError> {
    let Some(value) = drain.print() else { return Ok(()) };
    pace.turn().await;
    let write = [(&record.arn, vec![(app.names.drain.clone(), value)])];
    ecs::put_attributes(app.clients.ecs(), &record.cluster, &write).await
}

/// Drains an instance, if all that its drain rests on still stands, and the budget allows it now.
pub(super) async fn drain(
    app: &App,
    pace: &mut Pace,
    record: &ContainerInstance,
    cause: &Cause,
    n: usize,
    statistics: &mut RunStatistics,
) -> Stands {
    let Some(again) = read_again(app, record).await? else { return Ok(None) };
    let may_drain = again.status == Status::Active
        && !again.attributes.hold
        && matches!(again.attributes.drain, Drain::Absent | Drain::Requested { .. })
        && again.attributes.state == record.attributes.state;
    if !may_drain {
        tracing::info!(instance_id = instance_id(record), "changed meanwhile, not drained");
        return Ok(Some(again));
    }
    let draining = ecs::count_draining(app.clients.ecs(), &record.cluster).await?;
    if draining >= drain_budget(n, &app.config.policy) {
        tracing::info!(instance_id = instance_id(record), draining, rule = "budget", "drain withheld");
        return Ok(Some(again));
    }
    let at = app.clients.now();
    put_drain(app, pace, record, &Drain::Requested { cause: cause.clone(), at }).await?;
    pace.turn().await;
    let status = ContainerInstanceStatus::Draining;
    if let Err(error) =
        ecs::update_container_instance_state(app.clients.ecs(), &record.cluster, &record.arn, status).await
    {
        // Whether it took effect nobody can tell: read again, and claim nothing.
        failed(statistics, record, &error);
        return read_again(app, record).await;
    }
    let done = Drain::Done { cause: cause.clone(), at };
    put_drain(app, pace, record, &done).await?;
    statistics.drains += 1;
    tracing::warn!(cluster = %record.cluster, instance_id = instance_id(record), cause = cause.as_str(), "drained");
    let mut stands = again;
    stands.status = Status::Draining;
    stands.attributes.drain = done;
    Ok(Some(stands))
}

/// Says that a drain of ours is none any more.
pub(super) async fn release(app: &App, pace: &mut Pace, record: &ContainerInstance) -> Stands {
    let Some(mut again) = read_again(app, record).await? else { return Ok(None) };
    if again.attributes.drain != record.attributes.drain || again.status != Status::Active {
        return Ok(Some(again));
    }
    let released = Drain::Released { at: app.clients.now() };
    put_drain(app, pace, record, &released).await?;
    tracing::info!(cluster = %record.cluster, instance_id = instance_id(record), "drain released");
    again.attributes.drain = released;
    Ok(Some(again))
}

/// Makes an instance active again that we drained and that is proven since.
pub(super) async fn give_back(
    app: &App,
    pace: &mut Pace,
    record: &ContainerInstance,
    statistics: &mut RunStatistics,
) -> Stands {
    let Some(mut again) = read_again(app, record).await? else { return Ok(None) };
    let attributes = &again.attributes;
    let may_give_back = again.status == Status::Draining
        && !attributes.hold
        && attributes.gate == Gate::Mapped
        && attributes.drain == record.attributes.drain
        && attributes.state == record.attributes.state;
    if !may_give_back {
        tracing::info!(instance_id = instance_id(record), "changed meanwhile, not given back");
        return Ok(Some(again));
    }
    // Released first: a death between the two calls leaves it draining and reported, never undoes an operator's drain.
    let released = Drain::Released { at: app.clients.now() };
    put_drain(app, pace, record, &released).await?;
    pace.turn().await;
    let status = ContainerInstanceStatus::Active;
    match ecs::update_container_instance_state(app.clients.ecs(), &record.cluster, &record.arn, status).await
    {
        Ok(()) => {
            statistics.given_back += 1;
            tracing::warn!(cluster = %record.cluster, instance_id = instance_id(record), "given back");
            again.status = Status::Active;
            again.attributes.drain = released;
            Ok(Some(again))
        }
        Err(error) => {
            failed(statistics, record, &error);
            let Some(mut again) = read_again(app, record).await? else { return Ok(None) };
            if again.status == Status::Draining && again.attributes.drain == released {
                put_drain(app, pace, record, &record.attributes.drain).await?;
                again.attributes.drain = record.attributes.drain.clone();
            }
            Ok(Some(again))
        }
    }
}

/// Removes what stands of a drain that is over.
pub(super) async fn forget(app: &App, pace: &mut Pace, record: &ContainerInstance) -> Stands {
    let Some(mut again) = read_again(app, record).await? else { return Ok(None) };
    if again.attributes.drain != record.attributes.drain || again.status != Status::Active {
        return Ok(Some(again));
    }
    pace.turn().await;
    let removal = [(&record.arn, vec![app.names.drain.clone()])];
    ecs::delete_attributes(app.clients.ecs(), &record.cluster, &removal).await?;
    again.attributes.drain = Drain::Absent;
    Ok(Some(again))
}
