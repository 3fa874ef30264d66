//! What must not get worse, in numbers that do not depend on how busy the machine is: sizes, handshakes, AWS calls,
//! instructions, memory. Nothing here is a time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calls::Calls;
use super::connections::When;
use super::instructions::Instructions;

/// How far an instruction count may be from the reference, in percent. Below it, too, so that an improvement becomes the
/// new reference.
pub const TOLERANCE_PERCENT: f64 = 3.0;

/// What the guard compares, as `tests/bench/reference.json` holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Compiler, C library and valgrind. With others, instruction counts cannot be compared.
    pub toolchain: Vec<String>,
    /// No package may be larger.
    pub zipped_bytes_at_most: u64,
    /// Handshakes by function, at each time of [`When::ALL`].
    pub handshakes: BTreeMap<String, Vec<usize>>,
    /// AWS calls made and the fewest possible, by what was done.
    pub calls: BTreeMap<String, [usize; 2]>,
    /// By function.
    pub instructions: BTreeMap<String, Instructions>,
}

/// Packages that are too large.
pub fn check_sizes(reference: &Reference, sizes: &BTreeMap<String, u64>) -> Vec<String> {
    let most = reference.zipped_bytes_at_most;
    let large = sizes.iter().filter(|(_, size)| **size > most);
    large.map(|(name, size)| format!("{name}.zip has {size} bytes, at most {most} are allowed")).collect()
}

/// Handshakes that differ from the reference, and those that no reference may allow.
pub fn check_handshakes(reference: &Reference, measured: &BTreeMap<String, Vec<usize>>) -> Vec<String> {
    let mut findings = differences("handshakes", &reference.handshakes, measured);
    for (name, counts) in measured {
        for (when, count) in When::ALL.iter().zip(counts) {
            if *when == When::Warm && *count > 0 {
                findings.push(format!("{name}: {count} handshakes while the endpoint kept what was open"));
            }
        }
    }
    findings
}

/// Calls that differ from the reference, and those above 1.15 × the fewest.
pub fn check_calls(reference: &Reference, measured: &[Calls]) -> Vec<String> {
    let mut findings = differences("calls, fewest", &reference.calls, &by_name(measured));
    for calls in measured {
        if calls.ratio() > 1.15 {
            findings.push(format!("{}: {:.2} × the fewest calls", calls.what, calls.ratio()));
        }
    }
    findings
}

/// Counts by what was done and over how many.
pub fn by_name(calls: &[Calls]) -> BTreeMap<String, [usize; 2]> {
    let row = |one: &Calls| (format!("{}, {} instances", one.what, one.instances), [one.made, one.fewest]);
    calls.iter().map(row).collect()
}

/// Instruction counts that are out of tolerance, with what to do.
pub fn check_instructions(reference: &Reference, measured: &BTreeMap<String, Instructions>) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, now) in measured {
        let Some(then) = reference.instructions.get(name) else {
            findings.push(format!("{name}: the reference has no instruction counts"));
            continue;
        };
        for (what, now, then) in
            [("init", now.init, then.init), ("invocation", now.invocation, then.invocation)]
        {
            let percent = change_percent(now, then);
            if percent.abs() > TOLERANCE_PERCENT {
                findings.push(format!(
                    "{name}: {what} takes {now} instructions, {percent:+.1} % from {then}; if that is meant, \
                     `make guard-reference` writes it down"
                ));
            }
        }
    }
    findings
}

/// By how much a count differs from the reference's.
pub fn change_percent(now: u64, then: u64) -> f64 {
    (now as f64 / then as f64 - 1.0) * 100.0
}

fn differences<T: PartialEq + std::fmt::Debug>(
    what: &str,
    then: &BTreeMap<String, T>,
    now: &BTreeMap<String, T>,
) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let differ = names.into_iter().filter(|name| then.get(*name) != now.get(*name));
    differ.map(|name| format!("{name}: {what} {:?}, was {:?}", now.get(name), then.get(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Reference {
        Reference {
            toolchain: Vec::new(),
            zipped_bytes_at_most: 100,
            handshakes: [("f".to_owned(), vec![2, 0, 0, 2, 2, 2])].into(),
            calls: [("reconcile runs, 100 instances".to_owned(), [10, 10])].into(),
            instructions: [("f".to_owned(), Instructions { init: 1_000, invocation: 1_000 })].into(),
        }
    }

    #[test]
    fn a_package_may_be_as_large_as_the_limit_and_no_larger() {
        let of = |size| check_sizes(&reference(), &[("f".to_owned(), size)].into());
        assert!(of(100).is_empty());
        assert!(of(101)[0].contains("101 bytes"));
    }

    #[test]
    fn another_handshake_is_a_finding_wherever_it_is() {
        let of =
            |counts: &[usize]| check_handshakes(&reference(), &[("f".to_owned(), counts.to_vec())].into());
        assert!(of(&[2, 0, 0, 2, 2, 2]).is_empty());
        assert_eq!(of(&[2, 1, 0, 2, 2, 2]).len(), 1);
        assert_eq!(of(&[2, 0, 1, 2, 2, 2]).len(), 2);
        assert_eq!(
            check_handshakes(&reference(), &BTreeMap::new()).len(),
            1,
            "what is gone is not as before"
        );
    }

    #[test]
    fn another_call_is_a_finding() {
        let of = |made| {
            check_calls(
                &reference(),
                &[Calls { what: "reconcile runs".to_owned(), instances: 100, made, fewest: 10 }],
            )
        };
        assert!(of(10).is_empty());
        assert_eq!(of(11).len(), 1);
        assert_eq!(of(12).len(), 2);
    }

    #[test]
    fn instructions_may_differ_by_three_percent_either_way() {
        let of = |init| {
            let now = Instructions { init, invocation: 1_000 };
            check_instructions(&reference(), &[("f".to_owned(), now)].into())
        };
        assert!(of(1_029).is_empty() && of(971).is_empty());
        assert!(of(1_031)[0].contains("+3.1 %"));
        assert!(of(969)[0].contains("-3.1 %"));
    }
}
