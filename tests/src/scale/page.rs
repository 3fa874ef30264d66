//! The study's document as Markdown. Pure: the same figures, the same text.

use std::fmt::Write as _;
use std::time::Duration;

use super::cost::costs;
use super::figures::{Bound, percentile};
use super::{Assumptions, Figures};

const HEADING: &str = "\
| instances | left behind | online to open gate: median | p99 | from the later of online and proof: median | p99 | promised | oldest event |
|---:|---:|---:|---:|---:|---:|---:|---:|
";

/// The whole document.
pub fn page(assumptions: &Assumptions, waves: &[Figures]) -> String {
    let largest = waves.last().expect("at least one wave");
    let mut page = format!(
        "\
# Scale

<!-- Written by `make scale`; do not edit. -->

A model, not a measurement: the functions that ship, over a [local AWS](../tests/src/local_aws/README.md) in virtual
time. All instances of a wave are launched at once into an empty cluster, so that nobody has proven the password yet; the
sweep's first instance, the canary, does. Both functions run as the template deploys them, and the customer starts tasks
that need the share all the while. The largest wave is as many instances as ECS takes in one cluster.

![Open gates over time](scale.svg)

{HEADING}"
    );
    waves.iter().for_each(|wave| page.push_str(&row(wave)));
    page.push_str(
        "
A small wave waits for the schedule more than for anything else: the canary is chosen a minute after the first registration, by
a run that comes every minute. *Promised*: 1.3 × (the slowest of the three rates below, one look, and the script's time).
",
    );
    page.push_str("\n## Assumed\n\n");
    page.push_str(&assumed(assumptions));
    page.push_str("\n## The first bottleneck\n\n");
    page.push_str(&bottleneck(waves));
    page.push_str("\n## Calls\n\nMade / of these throttled. The SDK repeats what is throttled.\n\n");
    page.push_str(&calls(waves));
    page.push_str("\n## What the scripts said\n\n");
    page.push_str(&results(waves));
    page.push_str("\n## Cost of a wave\n\n");
    page.push_str(&cost(largest));
    page
}

/// A wave's line in the first table.
pub fn row(wave: &Figures) -> String {
    let online = [50, 99].map(|percent| seconds(percentile(&wave.since_online, percent)));
    let waits = [50, 99].map(|percent| seconds(percentile(&wave.waits, percent)));
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
        number(wave.instances as f64),
        wave.left_behind,
        online[0],
        online[1],
        waits[0],
        waits[1],
        seconds(wave.bound.promise()),
        seconds(wave.oldest_event),
    )
}

/// What the study assumes, as a table.
pub fn assumed(assumptions: &Assumptions) -> String {
    let Assumptions {
        ecs_writes,
        customer_tasks,
        customer_reads,
        send_commands,
        ssm_reads,
        parameter_reads,
        ..
    } = assumptions;
    format!(
        "\
| a second | | |
|---|---:|---|
| writes to ECS, all callers | 40 | documented, 100 at once; `RunTask` draws on it |
| reads of container instances, all callers | 20 | documented, 100 at once |
| `ECS_WRITES_PER_SECOND` | {ecs_writes} | of the 40 |
| the customer's `RunTask` | {customer_tasks} | of the 40 |
| the customer's descriptions | {customer_reads} | of the 20 |
| `SendCommand` | {send_commands} | assumed: AWS publishes none |
| every other call of Systems Manager's | {ssm_reads} | assumed, all of them together |
| `GetParameters` | {parameter_reads} | Parameter Store's default |

An answer takes {:.0} ms, a listing shows what happened {} s later, an event is {} ms on its way. A host boots in 11 to 19 s,
its ECS agent registers 45 to 75 s after that, its SSM agent is online 56 to 94 s after it; a command is picked up in half
a second and takes 7 to 11 s, at the middle of which the host asks Parameter Store; throttled, it asks again for up to 30 s.
A rate's bucket holds twice a second's worth, but for those of ECS. The processor's time is not modelled.
",
        assumptions.answer.as_secs_f64() * 1000.0,
        assumptions.listing_lag.as_secs(),
        assumptions.delivery.as_millis(),
    )
}

fn bottleneck(waves: &[Figures]) -> String {
    let mut table = "\
| instances | writes to ECS, 5 a call | Parameter Store, 1 a host | `SendCommand`, 50 a call | one look | the script |
|---:|---:|---:|---:|---:|---:|
"
    .to_owned();
    for wave in waves {
        let Bound { writes, parameters, sends, look, script } = wave.bound;
        let times = [writes, parameters, sends, look, script].map(seconds).join(" | ");
        let _ = writeln!(table, "| {} | {times} |", number(wave.instances as f64));
    }
    let largest = waves.last().expect("at least one wave");
    let (bound, hosts) = (largest.bound, largest.count(|caller, _| caller == "host"));
    let explained = format!(
        "\
One look: what a run of at most 46 s leaves of a minute, and the calls that a look at all instances takes. In the largest
wave Parameter Store throttled {} of the hosts' {} calls; whoever else asks it meanwhile is throttled as often.
",
        number(hosts.throttled as f64),
        number(hosts.made as f64)
    );
    let advice = if bound.slowest() == bound.parameters {
        "\
**Parameter Store.** Every host asks it once, and its default rate is the account's, shared with the secrets of ECS tasks.
Beyond it: turn on higher throughput in Parameter Store's settings (charged by the call), and lower `RetryBaseSeconds`, for the
sweep tells no more than 600 hosts to map in half of it. The next are the writes to ECS: raise `EcsWritesPerSecond` as far as
the customer's own `RunTask` allows, and have AWS raise the rate of cluster resource modifications. Beyond one cluster's
instances: a stack for each cluster.
"
    } else if bound.slowest() == bound.writes {
        "\
**Writes to ECS.** A gate and a state are two attributes, and a call takes ten. Beyond it: raise `EcsWritesPerSecond` as far
as the customer's own `RunTask` allows, and have AWS raise the rate of cluster resource modifications.
"
    } else {
        "\
**`SendCommand`.** A call takes fifty instances. Beyond it: have AWS raise its rate.
"
    };
    format!("{table}\n{explained}\n{advice}")
}

fn calls(waves: &[Figures]) -> String {
    let mut kinds: Vec<&(String, String)> = waves.iter().flat_map(|wave| wave.calls.keys()).collect();
    kinds.sort();
    kinds.dedup();
    let mut table = heading("| caller | call |", "|---|---|", waves);
    for kind in kinds {
        let _ = write!(table, "| {} | {} |", kind.0, kind.1);
        for wave in waves {
            let calls = wave.calls.get(kind).copied().unwrap_or_default();
            let _ = write!(table, " {} / {} |", number(calls.made as f64), number(calls.throttled as f64));
        }
        table.push('\n');
    }
    let _ = write!(table, "| a function | writes to ECS within a second, at most |");
    waves.iter().for_each(|wave| table.push_str(&format!(" {} |", wave.most_writes)));
    table + "\n"
}

fn results(waves: &[Figures]) -> String {
    let mut words: Vec<&String> = waves.iter().flat_map(|wave| wave.results.keys()).collect();
    words.sort();
    words.dedup();
    let mut table = heading("| result |", "|---|", waves);
    for word in words {
        let _ = write!(table, "| `{word}` |");
        for wave in waves {
            let _ =
                write!(table, " {} |", number(wave.results.get(word).copied().unwrap_or_default() as f64));
        }
        table.push('\n');
    }
    table
}

fn cost(wave: &Figures) -> String {
    let mut table = format!(
        "\
{} instances, from their launch until two minutes after the last gate has opened. The prices are list prices of us-east-1
without any free tier, to be verified; what an alarm, a metric or a dashboard costs a month is not a wave's.

| | count | list price | dollars |
|---|---:|---:|---:|
",
        number(wave.instances as f64)
    );
    let mut sum = 0.0;
    for (price, count, dollars) in costs(wave) {
        sum += dollars;
        let _ = writeln!(
            table,
            "| {} | {} | {} | {dollars:.4} |",
            price.what,
            number(count.ceil()),
            price.shown()
        );
    }
    let _ = writeln!(table, "| **all** | | | **{sum:.4}** |");
    table
}

fn heading(first: &str, rule: &str, waves: &[Figures]) -> String {
    let sizes: String = waves.iter().map(|wave| format!(" {} |", number(wave.instances as f64))).collect();
    format!("{first}{sizes}\n{rule}{}\n", "---:|".repeat(waves.len()))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// With a comma between thousands.
fn number(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
