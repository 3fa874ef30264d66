//! Invariant 8, for the logs: whatever a host, an event or a caller says, a line is one JSON object, has no key twice, and
//! holds no character that a terminal or a log viewer acts on.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::{CheckResult, ensure};

/// An object of which no key is read twice.
struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
            if let Some(key) = keys.replace(key) {
                return Err(A::Error::custom(format!("the key {key} is there twice")));
            }
        }
        Ok(Object)
    }
}

/// Checks what one run wrote.
pub(in crate::simulation) fn are_plain(output: &[u8]) -> CheckResult {
    for line in output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let shown = || String::from_utf8_lossy(line).into_owned();
        let read = serde_json::from_slice::<Object>(line).map(|_| ());
        read.map_err(|error| format!("{error}: {}", shown()))?;
        let acts = shown().chars().find(|c| c.is_control() || is_of_direction(*c));
        ensure(acts.is_none(), || format!("{acts:?} is in the log: {}", shown()))?;
    }
    Ok(())
}

/// It changes the direction of what is shown.
fn is_of_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
