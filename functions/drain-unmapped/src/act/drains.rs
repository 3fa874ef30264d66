//! The calls of one drain, one instance at a time. The instance is read again first; the drain is recorded on it before the
//! call that drains, and after it.

use aws_sdk_ecs::types::ContainerInstanceStatus;
use shared::aws::AwsError;
use shared::cause::Cause;
use shared::ecs::{self, ContainerInstance, Status};
use shared::state::{Drain, Gate};

use crate::decide::{DrainAction, Plan, Rule, drain_budget, holds_budget};
use crate::fleet::Fleet;
use crate::run::{Run, instance_id};

/// The record as it is after a step; `None` where the instance is gone.
type Outcome = Result<Option<ContainerInstance>, AwsError>;

/// Carries out what is planned about drains.
pub(super) async fn carry_out(run: &mut Run<'_>, fleet: &mut Fleet, plan: &Plan) {
    for planned in &plan.drains {
        if run.is_over() {
            return;
        }
        let Some(record) = fleet.instances.get(&planned.arn).map(|instance| instance.record.clone()) else {
            continue;
        };
        if !plan.may_carry_out(&planned.action, &record) {
            run.withheld(&record, Rule::ChangedMeanwhile);
            continue;
        }
        let outcome = match &planned.action {
            DrainAction::Drain(cause) => drain(run, fleet, &record, cause).await,
            DrainAction::MarkReleased => mark_released(run, &record).await,
            DrainAction::GiveBack => give_back(run, &record).await,
            DrainAction::Forget => forget(run, &record).await,
        };
        match outcome {
            Ok(Some(record)) => {
                if let Some(instance) = fleet.instances.get_mut(&planned.arn) {
                    instance.record = record;
                }
            }
            Ok(None) => {}
            Err(error) => run.failed(&record, &error),
        }
    }
}

async fn read_again(run: &Run<'_>, record: &ContainerInstance) -> Outcome {
    let (app, cluster) = (run.app, &record.cluster);
    let arns = [record.arn.clone()];
    let again = ecs::describe_container_instances(app.clients.ecs(), cluster, &app.names, &arns).await?;
    Ok(again.into_iter().next())
}

async fn put_drain(run: &mut Run<'_>, record: &ContainerInstance, drain: &Drain) -> Result<(), AwsError> {
    let Some(value) = run.app.names.print_drain(drain) else { return Ok(()) };
    run.pace.turn().await;
    let attributes = [(run.app.names.drain.clone(), value)];
    let write = [(&record.arn, attributes.as_slice())];
    ecs::put_attributes(run.app.clients.ecs(), &record.cluster, &write).await
}

async fn set_status(
    run: &mut Run<'_>,
    record: &ContainerInstance,
    status: ContainerInstanceStatus,
) -> Result<(), AwsError> {
    run.pace.turn().await;
    let client = run.app.clients.ecs();
    ecs::update_container_instance_state(client, &record.cluster, &record.arn, status).await
}

/// Drains an instance, if its state is still as it was and the budget allows it now.
async fn drain(run: &mut Run<'_>, fleet: &Fleet, record: &ContainerInstance, cause: &Cause) -> Outcome {
    let Some(again) = read_again(run, record).await? else { return Ok(None) };
    let may_drain = again.status == Status::Active
        && !again.attributes.hold
        && matches!(again.attributes.drain, Drain::Absent | Drain::Requested { .. })
        && again.attributes.state == record.attributes.state;
    if !may_drain {
        run.withheld(record, Rule::ChangedMeanwhile);
        return Ok(Some(again));
    }
    let app = run.app;
    let draining = ecs::draining_instances(app.clients.ecs(), &record.cluster, &app.names).await?;
    let is_stale = |one: &ContainerInstance| fleet.stale_registrations.iter().any(|r| r.arn == one.arn);
    let draining = draining.iter().filter(|one| holds_budget(one) && !is_stale(one)).count();
    let n = fleet.counted().filter(|i| i.record.cluster == record.cluster).count();
    if draining >= drain_budget(n, &app.config.policy) {
        run.withheld(record, Rule::Budget);
        return Ok(Some(again));
    }
    let at = run.app.clients.now();
    put_drain(run, record, &Drain::Requested { cause: *cause, at }).await?;
    if let Err(error) = set_status(run, record, ContainerInstanceStatus::Draining).await {
        // The call may have taken effect. Read again, and claim nothing.
        run.failed(record, &error);
        return read_again(run, record).await;
    }
    let done = Drain::Done { cause: *cause, at };
    put_drain(run, record, &done).await?;
    run.statistics.drains += 1;
    tracing::warn!(cluster = %record.cluster, instance_id = instance_id(record), cause = cause.as_str(), "drained");
    Ok(Some(with_drain(again, Status::Draining, done)))
}

/// Records that a drain of ours has ended.
async fn mark_released(run: &mut Run<'_>, record: &ContainerInstance) -> Outcome {
    let Some(again) = read_again(run, record).await? else { return Ok(None) };
    if again.attributes.drain != record.attributes.drain || again.status != Status::Active {
        return Ok(Some(again));
    }
    let released = Drain::Released { at: run.app.clients.now() };
    put_drain(run, record, &released).await?;
    tracing::info!(cluster = %record.cluster, instance_id = instance_id(record), "drain released");
    Ok(Some(with_drain(again, Status::Active, released)))
}

/// Makes an instance active again that we drained and that is proven since.
async fn give_back(run: &mut Run<'_>, record: &ContainerInstance) -> Outcome {
    let Some(again) = read_again(run, record).await? else { return Ok(None) };
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
    // `released` is written first. A crash between the two calls then leaves the instance draining and reported, and never
    // undoes an operator's drain.
    let released = Drain::Released { at: run.app.clients.now() };
    put_drain(run, record, &released).await?;
    if let Err(error) = set_status(run, record, ContainerInstanceStatus::Active).await {
        run.failed(record, &error);
        return reclaim(run, record, &released).await;
    }
    run.statistics.given_back += 1;
    tracing::warn!(cluster = %record.cluster, instance_id = instance_id(record), "given back");
    Ok(Some(with_drain(again, Status::Active, released)))
}

/// Records a drain as ours again, whose end was recorded but did not take effect.
async fn reclaim(run: &mut Run<'_>, record: &ContainerInstance, released: &Drain) -> Outcome {
    let Some(again) = read_again(run, record).await? else { return Ok(None) };
    if again.status != Status::Draining || again.attributes.drain != *released {
        return Ok(Some(again));
    }
    put_drain(run, record, &record.attributes.drain).await?;
    Ok(Some(with_drain(again, Status::Draining, record.attributes.drain.clone())))
}

/// Removes the attribute of a drain that is over.
async fn forget(run: &mut Run<'_>, record: &ContainerInstance) -> Outcome {
    let Some(again) = read_again(run, record).await? else { return Ok(None) };
    if again.attributes.drain != record.attributes.drain || again.status != Status::Active {
        return Ok(Some(again));
    }
    run.pace.turn().await;
    let removal = [(&record.arn, vec![run.app.names.drain.clone()])];
    ecs::delete_attributes(run.app.clients.ecs(), &record.cluster, &removal).await?;
    Ok(Some(with_drain(again, Status::Active, Drain::Absent)))
}

fn with_drain(mut record: ContainerInstance, status: Status, drain: Drain) -> ContainerInstance {
    record.status = status;
    record.attributes.drain = drain;
    record
}
