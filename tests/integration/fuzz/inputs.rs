//! Inputs by the seed: mutations of files that mean something, and bytes that mean nothing.
//!
//! bolero's own random inputs differ from run to run; these do not, so that a green build stays green.

use std::path::Path;

use fastrand::Rng;

/// Longest input of meaningless bytes.
const MOST_BYTES: usize = 2048;

/// Words that parsers take for something, one way or another.
const WORDS: [&[u8]; 14] = [
    b"null",
    b"\"\"",
    b"{}",
    b"[]",
    b"-1",
    b"1e999",
    b" ",
    b"-",
    b"\r\n",
    "\u{feff}".as_bytes(),
    "\u{130}".as_bytes(),
    b"\xff",
    b"9999-12-31T23:59:59.999999999Z",
    b"-009999-01-02T00:00:00+25:59",
];

/// The first input's seed, and how many times the usual number of inputs there are. The seed that a failure names, given
/// as `FUZZ_SEED`, is tried first.
#[allow(clippy::disallowed_methods, reason = "no other test reads them, and nothing that is shipped")]
fn asked_for() -> (u64, u64) {
    let number = |name: &str| std::env::var(name).map(|text| text.parse().expect("a whole number")).ok();
    (number("FUZZ_SEED").unwrap_or(20_261_122), number("FUZZ_TIMES").unwrap_or(1))
}

/// Every file of a folder below `tests/`, in their order.
pub(super) fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "nothing in {}", folder.display());
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

/// Tries a property with so many inputs, times `FUZZ_TIMES`; without seeds all of them are meaningless bytes.
#[allow(clippy::print_stdout, reason = "the seed, for whoever runs `make fuzz`")]
pub(super) fn try_all(property: fn(&[u8]), cases: u64, seeds: &[Vec<u8>]) {
    let (first, times) = asked_for();
    for case in 0..cases * times {
        let seed = first.wrapping_add(case);
        let input = input(&mut Rng::with_seed(seed), seeds);
        if std::panic::catch_unwind(|| property(&input)).is_err() {
            panic!("FUZZ_SEED={seed} makes this input:\n{}", input.escape_ascii());
        }
    }
    println!("{} inputs from seed {first}", cases * times);
}

fn input(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    if seeds.is_empty() || rng.u8(..) < 16 {
        // Short ones as often as long ones.
        let most = MOST_BYTES >> rng.u8(..8);
        let length = rng.usize(..=most);
        return std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
    }
    let mut bytes = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.usize(..=4) {
        mutate(rng, &mut bytes, seeds);
    }
    bytes
}

/// One change: cut, left out, doubled, another byte, a piece of another file, a word.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let from = rng.usize(..=bytes.len());
    let to = (from + rng.usize(..=40)).min(bytes.len());
    match rng.u8(..6) {
        0 => bytes.truncate(from),
        1 => drop(bytes.drain(from..to)),
        2 => {
            let piece = bytes[from..to].to_vec();
            bytes.splice(from..from, piece);
        }
        3 => bytes.iter_mut().skip(from).take(1).for_each(|byte| *byte = rng.u8(..)),
        4 => {
            let other = &seeds[rng.usize(..seeds.len())];
            let at = rng.usize(..=other.len());
            let piece = other[at..(at + rng.usize(..=40)).min(other.len())].to_vec();
            bytes.splice(from..to, piece);
        }
        _ => drop(bytes.splice(from..to, WORDS[rng.usize(..WORDS.len())].iter().copied())),
    }
}

#[test]
fn the_same_seed_makes_the_same_input_and_most_are_mutations() {
    let seeds = ["mapped and mapped again ".repeat(20), "unmapped".repeat(20)].map(String::into_bytes);
    let all: Vec<Vec<u8>> = (0..1000).map(|seed| input(&mut Rng::with_seed(seed), &seeds)).collect();
    assert_eq!(all[7], input(&mut Rng::with_seed(7), &seeds));
    let of_a_seed = all.iter().filter(|input| input.windows(3).any(|part| part == b"map")).count();
    let untouched = all.iter().filter(|input| seeds.contains(input)).count();
    assert!(of_a_seed > 600 && untouched > 100, "{of_a_seed} hold a piece, {untouched} are whole");
}

#[test]
fn an_input_that_does_not_hold_is_named_with_its_seed() {
    let fails = |input: &[u8]| assert!(input.len() < 100);
    let said = std::panic::catch_unwind(|| try_all(fails, 1000, &[])).expect_err("it does not hold");
    let said = said.downcast::<String>().expect("a message");
    assert!(said.starts_with("FUZZ_SEED="), "{said}");
}
