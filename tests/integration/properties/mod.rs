//! Properties of what comes from outside: no input causes a panic or an unsafe decision.
//!
//! | module | input |
//! |---|---|
//! | `events` | what `map-share` is invoked with: a batch, one event, a call by hand |
//! | `state` | the state attribute on a container instance |
//! | `validator` | task definitions |
//!
//! `make fuzz` tries more inputs. Parsers have their own properties, beside their unit tests.

mod events;
mod state;
mod validator;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tests::repository::files_below;

/// Inputs do not differ from run to run, so that a green build stays green.
const SEED: u64 = 20_261_122;

/// So many cases from a fixed seed. `PROPTEST_RNG_SEED` sets another seed; `PROPTEST_CASES` multiplies the cases, relative
/// to proptest's default of 256.
pub(crate) fn config(cases: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    config.cases = cases.saturating_mul(config.cases) / 256;
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    config
}

/// Tries a property, which panics where it does not hold.
fn check<S: Strategy>(cases: u32, inputs: S, property: impl Fn(S::Value)) {
    let result = TestRunner::new(config(cases)).run(&inputs, |input| {
        property(input);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// The JSON files of a folder of the repository.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let paths = files_below(folder, &["json"]);
    assert!(!paths.is_empty(), "nothing in {folder}");
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

/// Tokens that parsers treat specially.
const TOKENS: [&[u8]; 14] = [
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

#[derive(Debug, Clone)]
enum Edit {
    Truncate,
    Double,
    /// Nothing, a byte, a token, or a piece of a sample.
    ReplaceBy(Vec<u8>),
}

/// Mostly these samples with up to four edits; sometimes random bytes.
fn edited(samples: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let piece = (select(samples.clone()), any::<Index>(), 0..=40_usize).prop_map(|(sample, at, length)| {
        let at = at.index(sample.len() + 1);
        sample[at..(at + length).min(sample.len())].to_vec()
    });
    let edit = prop_oneof![
        Just(Edit::Truncate),
        Just(Edit::Double),
        Just(Edit::ReplaceBy(Vec::new())),
        any::<u8>().prop_map(|byte| Edit::ReplaceBy(vec![byte])),
        select(&TOKENS[..]).prop_map(|token| Edit::ReplaceBy(token.to_vec())),
        piece.prop_map(Edit::ReplaceBy),
    ];
    let edits = proptest::collection::vec((any::<Index>(), 0..=40_usize, edit), 0..=4);
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..2048),
        15 => (select(samples), edits).prop_map(|(mut bytes, edits)| {
            for (at, length, edit) in edits {
                let from = at.index(bytes.len() + 1);
                let to = (from + length).min(bytes.len());
                match edit {
                    Edit::Truncate => bytes.truncate(from),
                    Edit::Double => drop(bytes.splice(from..from, bytes[from..to].to_vec())),
                    Edit::ReplaceBy(piece) => drop(bytes.splice(from..to, piece)),
                }
            }
            bytes
        }),
    ]
}
