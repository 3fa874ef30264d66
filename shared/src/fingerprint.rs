//! Fingerprints: eight hexadecimal digits that tell whether two texts are the same.
//!
//! They tell a changed setting, or another stack, from our own. Who wants two texts to have the same one can make them so.

use std::fmt;

/// 32 bits of FNV-1a.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(u32);

impl Fingerprint {
    /// The fingerprint of a text.
    pub const fn of(text: &[u8]) -> Self {
        let mut hash: u32 = 0x811c_9dc5;
        let mut at = 0;
        while at < text.len() {
            hash = (hash ^ text[at] as u32).wrapping_mul(0x0100_0193);
            at += 1;
        }
        Fingerprint(hash)
    }

    /// Reads eight lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_plain.then(|| u32::from_str_radix(text, 16).ok().map(Fingerprint)).flatten()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The version of the mapping script that belongs to these functions. A document that holds another one gives another version
/// in its result lines.
pub const SCRIPT_VERSION: Fingerprint = Fingerprint::of(include_bytes!("../document/map-share.ps1"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_printed() {
        for text in ["", "smb-g", "\\\\fs\\share"] {
            let fingerprint = Fingerprint::of(text.as_bytes());
            assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Some(fingerprint), "{text}");
        }
        // The published test vectors of FNV-1a.
        assert_eq!(Fingerprint::of(b"").to_string(), "811c9dc5");
        assert_eq!(Fingerprint::of(b"foobar").to_string(), "bf9cf968");
        for bad in ["", "811C9DC5", "811c9dc", "811c9dc55", "+11c9dc5", "811c9dg5"] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad:?}");
        }
    }
}
