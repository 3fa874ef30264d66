//! The study's document as Markdown, and its chart. Pure: the same figures, the same text.

use std::collections::BTreeSet;
use std::time::Duration;

use super::figures::{Bound, percentile};
use super::*;
use crate::chart::{Chart, Series, draw};

/// All that the document shows.
#[derive(Debug)]
pub struct Study {
    /// Waves into an empty cluster.
    pub waves: Vec<Figures>,
    /// The same, while the file server is away for an hour.
    pub failing: Vec<Figures>,
    /// New instances for a running fleet.
    pub scaled_out: Vec<ScaledOut>,
    /// Fleets that are checked.
    pub steady: Vec<Steadiness>,
}

/// The whole document.
pub fn page(study: &Study) -> String {
    let Study { waves, failing, scaled_out, steady } = study;
    let [fresh, canary] = ScaledOut::promised().map(seconds);
    let least = seconds(ScaledOut::at_least());
    let largest = waves.last().expect("at least one wave");
    let [reads, throttled] = largest.parameter_reads();
    format!(
        "\
# Scale

<!-- Written by `make scale`; do not edit. -->

A model, not a measurement: the functions that ship, over a [local AWS](../tests/src/local_aws/README.md) in virtual
time. Both functions run as the template deploys them, and meanwhile the customer starts tasks that need the share.

## A first deployment

All instances of a wave are launched at once into an empty cluster. Nobody was let in with the password yet, so one
instance, the canary, tries it before the others. The largest wave has as many instances as ECS allows in one cluster.

![Open gates over time](scale.svg)

| instances | left behind | online to open gate: median | p99 | due to open gate: median | p99 | promised | oldest event |
|---:|---:|---:|---:|---:|---:|---:|---:|
{rows}
*Due*: both agents are online, the canary was let in, a reconcile run has begun since the registration, and the 20 s
have passed that are left to `map-share`. Runs start every minute, and read the instances when they begin. *Promised*: 1.3 × (the
slowest of the three rates below, one look, and the script's time).

## A scale-out

New instances in a cluster of 500 whose gates are open, and which are checked meanwhile (12 s a check, a budget of 3). The time
runs from the later of \"SSM agent online\" and \"registered with ECS\" to the open gate. The script alone takes up to {least}.
*Fresh*: another instance was let in with the password within the minute before. Then {fresh} are promised: the script and two
looks. Otherwise a canary goes first, and {canary} are promised: a minute until the next run, because that of a quiet fleet ends
at once, the script twice, and three looks 3 s apart.

| new instances | left behind | fresh | median | p99 | not fresh | median | p99 |
|---:|---:|---:|---:|---:|---:|---:|---:|
{scaled_out}
## A wave that fails

The same wave as in a first deployment, while the file server is away for the first hour. Nothing is drained, for the fault
is not the instances'. *Promised*, from its return to the open gate: an attempt that still fails, the wait until the next one with
its jitter, and what a first deployment is promised.

| instances | left behind | drained | attempts an instance | calls a minute | back to open gate: median | p99 | promised |
|---:|---:|---:|---:|---:|---:|---:|---:|
{failing}
## A fleet that is checked

Every gate is open, and the fleet is watched for six hours. *A check*: the mean time from the request to the result. One in ten takes
longer, one in fifty up to five times as long. *Allowed*: what the budget allows, instances × seconds a check ÷ (budget − 1). *Said*: the metric
`CheckPeriodMinutes`. *Promised*: `VERIFY_EVERY_MINUTES` (30) and ten minutes, or 1.2 × what is allowed (1.25 × with checks of 20 s).

| instances | budget | a check | allowed | said | oldest proof | promised | minutes paged | gates shut | checks at a time |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{steady}
## Assumed

{assumed}
## Bottlenecks of a first deployment

| instances | writes to ECS, 5 a call | Parameter Store, 1 a host | `SendCommand`, 50 a call | one look | the script |
|---:|---:|---:|---:|---:|---:|
{bounds}
One look: the part of a minute in which no run looks (a run takes at most 51 s), and the calls of a look at all instances. In
the largest wave Parameter Store throttled {throttled} of the hosts' {made} calls; other callers are throttled as often.

Beyond the slowest rate:

* **Parameter Store.** Every host asks it once, and its default rate is the account's, shared with the secrets of ECS tasks.
  Turn on higher throughput in Parameter Store's settings (charged by the call), and lower `RetryBaseSeconds`: in half of it, a
  reconcile run sends `map` to at most 600 hosts.
* **Writes to ECS.** A gate and a state are two attributes, and a call takes ten. Raise `EcsWritesPerSecond` as far as the
  customer's own `RunTask` allows, and have AWS raise the rate of cluster resource modifications.
* **`SendCommand`.** A call takes fifty instances. Have AWS raise its rate.
* **Instances of one cluster.** Use a stack for each cluster.

## Calls

Made / of these throttled. The SDK repeats what is throttled.

{calls}
## Cost of a wave

{size} instances, from their launch until two minutes after the last gate has opened. The prices are list prices of us-east-1
without any free tier, to be verified. What an alarm, a metric or a dashboard costs a month is not included.

{cost}",
        scaled_out = scaled_out.iter().map(scaled_out_row).collect::<String>(),
        failing = failing.iter().map(failing_row).collect::<String>(),
        steady = steady.iter().map(steady_row).collect::<String>(),
        rows = waves.iter().map(row).collect::<String>(),
        assumed = assumed(),
        bounds = waves.iter().map(bounds).collect::<String>(),
        throttled = number(throttled),
        made = number(reads),
        calls = calls(waves),
        size = number(largest.instances),
        cost = cost(largest),
    )
}

/// The share of open gates over time, a line a wave.
pub fn chart(waves: &[Figures]) -> String {
    const COLOURS: [&str; 6] = ["#1f8a5b", "#3b82d6", "#7d4fc4", "#c2571a", "#b7a36a", "#6b7886"];
    let last = waves.iter().filter_map(|wave| wave.opened.last()).max().copied().unwrap_or_default();
    let series = waves.iter().zip(COLOURS).map(|(wave, colour)| {
        let share = |(n, at): (usize, &Duration)| (*at, (n + 1) as f64 / wave.instances as f64);
        Series { colour, steps: wave.opened.iter().enumerate().map(share).collect() }
    });
    let legend = waves.iter().zip(COLOURS);
    draw(&Chart {
        title: "Open gates since the launch of all instances at once (a model)",
        length: Duration::from_secs(60 * last.as_secs().div_ceil(60)),
        marks: &[],
        legend: legend.map(|(wave, colour)| (colour, format!("{} instances", wave.instances))).collect(),
        lanes: Vec::new(),
        series: series.collect(),
    })
}

/// A wave's line in the first table.
pub fn row(wave: &Figures) -> String {
    let [online, online_99] = [50, 99].map(|percent| seconds(percentile(&wave.since_online, percent)));
    let [wait, wait_99] = [50, 99].map(|percent| seconds(percentile(&wave.waits, percent)));
    let (instances, promised) = (number(wave.instances), seconds(wave.bound.promise()));
    let (left_behind, oldest) = (wave.left_behind, seconds(wave.oldest_event));
    format!(
        "| {instances} | {left_behind} | {online} | {online_99} | {wait} | {wait_99} | {promised} | {oldest} |\n"
    )
}

/// A scale-out's line.
pub fn scaled_out_row(seen: &ScaledOut) -> String {
    let ScaleOut { each, every, times } = seen.scale_out;
    let cells = seen.waits.each_ref().map(|waits| match &**waits {
        [] => "0 | - | -".to_owned(),
        _ => {
            let [median, p99] = [50, 99].map(|percent| seconds(percentile(waits, percent)));
            format!("{} | {median} | {p99}", waits.len())
        }
    });
    let launches = format!("{times} × {each}, every {} s", every.as_secs());
    format!("| {launches} | {} | {} |\n", seen.left_behind, cells.join(" | "))
}

/// A failing wave's line.
pub fn failing_row(wave: &Figures) -> String {
    let (p99, promised) = wave.p99_and_promise();
    let median = percentile(&wave.since_online, 50);
    let calls: usize = wave
        .calls
        .iter()
        .filter(|((caller, _), _)| caller == "drain-unmapped" || caller == "map-share")
        .map(|(_, [made, _])| made)
        .sum();
    let minutes = wave.invocations[1].len().max(1);
    let attempts = wave.failed_maps as f64 / wave.instances as f64;
    let times = [median, p99, promised].map(seconds).join(" | ");
    format!(
        "| {} | {} | {} | {attempts:.1} | {} | {times} |\n",
        number(wave.instances),
        wave.left_behind,
        wave.drained(),
        number(calls.div_ceil(minutes)),
    )
}

/// A steady state's line.
pub fn steady_row(seen: &Steadiness) -> String {
    let state = seen.state;
    let minutes = |time: Duration| format!("{:.0} min", time.as_secs_f64() / 60.0);
    let times = [state.formula(), seen.said, seen.oldest, state.promised()].map(minutes).join(" | ");
    format!(
        "| {} | {} | {} s | {times} | {} | {} | {} |\n",
        number(state.instances),
        state.budget,
        state.check.as_secs(),
        seen.paged,
        seen.shut,
        seen.at_a_time,
    )
}

/// What the study assumes, as a table.
pub fn assumed() -> String {
    format!(
        "\
| a second | | |
|---|---:|---|
| writes to ECS, all callers | 40 | documented, 100 at once; `RunTask` is one of them |
| reads of container instances, all callers | 20 | documented, 100 at once |
| `ECS_WRITES_PER_SECOND` | {ECS_WRITES} | of the 40 |
| the customer's `RunTask` | {CUSTOMER_TASKS} | of the 40 |
| the customer's descriptions | {CUSTOMER_READS} | of the 20 |
| `SendCommand` | {SEND_COMMANDS} | assumed: AWS publishes none |
| all other calls of Systems Manager, together | {SSM_READS} | assumed |
| `GetParameters` | {PARAMETER_READS} | Parameter Store's default |

An answer takes {} ms, listings are {} s late, an event takes {} ms to its queue. A host boots in 11 to 19 s, its ECS agent
registers 45 to 75 s after that, its SSM agent is online 56 to 94 s after it. A host receives a command after half a second
and runs it for 7 to 11 s; halfway it asks Parameter Store, and if it is throttled, asks again for up to 30 s. The bucket of a
rate holds twice a second's worth, but for those of ECS. Processor time is not modelled.
",
        ANSWER.as_millis(),
        LISTING_LAG.as_secs(),
        DELIVERY.as_millis(),
    )
}

fn bounds(wave: &Figures) -> String {
    let Bound { writes, parameters, sends, look, script, .. } = wave.bound;
    let times = [writes, parameters, sends, look, script].map(seconds).join(" | ");
    format!("| {} | {times} |\n", number(wave.instances))
}

/// A row for each operation, a column for each wave.
fn calls(waves: &[Figures]) -> String {
    let cells = |cell: &dyn Fn(&Figures) -> String| -> String {
        waves.iter().map(|wave| format!(" {} |", cell(wave))).collect()
    };
    let sizes = cells(&|wave| number(wave.instances));
    let mut table = format!("| caller | call |{sizes}\n|---|---|{}\n", "---:|".repeat(waves.len()));
    let operations: BTreeSet<&(String, String)> = waves.iter().flat_map(|wave| wave.calls.keys()).collect();
    for operation in operations {
        let counts = cells(&|wave| {
            let [made, throttled] = wave.calls.get(operation).copied().unwrap_or_default();
            format!("{} / {}", number(made), number(throttled))
        });
        table += &format!("| {} | {} |{counts}\n", operation.0, operation.1);
    }
    let most = cells(&|wave| wave.most_writes.to_string());
    table + &format!("| a function | most writes to ECS within a second |{most}\n")
}

/// Counts times list prices. Systems Manager charges nothing for `SendCommand` to EC2 instances and for standard parameters
/// at the standard rate, EventBridge nothing for AWS's own events. Lambda takes and deletes ten messages a request.
fn cost(wave: &Figures) -> String {
    /// `MemorySize` of `template.yaml`, in GB.
    const MEMORY: f64 = 0.125;
    let invocations = wave.invocations.iter().map(Vec::len).sum::<usize>();
    let seconds = wave.invocations.iter().flatten().sum::<Duration>().as_secs_f64();
    let requests = wave.messages + 2 * wave.messages.div_ceil(10) + 3 * wave.invocations[1].len();
    let [reads, throttled] = wave.parameter_reads();
    // US dollars of us-east-1 and x86-64: https://aws.amazon.com/lambda/pricing/, `sqs`, `kms` and `cloudwatch`.
    let costs = [
        ("Lambda, invocations", invocations as f64, 0.20, ("10⁶", 1e6)),
        ("Lambda, GB-seconds", seconds * MEMORY, 16.6667, ("10⁶", 1e6)),
        ("SQS, requests", requests as f64, 0.40, ("10⁶", 1e6)),
        ("KMS, decryptions of the password", (reads - throttled) as f64, 3.00, ("10⁶", 1e6)),
        ("CloudWatch Logs, bytes", wave.logged as f64, 0.50, ("10⁹", 1e9)),
    ];
    let mut table = "| | count | list price | dollars |\n|---|---:|---:|---:|\n".to_owned();
    let mut sum = 0.0;
    for (what, count, price, (shown, per)) in costs {
        let dollars = count * price / per;
        sum += dollars;
        table += &format!(
            "| {what} | {} | ${price:.2} / {shown} | {dollars:.4} |\n",
            number(count.ceil() as usize)
        );
    }
    table + &format!("| **all** | | | **{sum:.4}** |\n")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// With a comma between thousands.
fn number(count: usize) -> String {
    if count < 1000 { count.to_string() } else { format!("{},{:03}", number(count / 1000), count % 1000) }
}
