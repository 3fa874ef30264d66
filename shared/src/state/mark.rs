//! Who wrote an attribute, and about which share: a stack that maps another share to the same letter, or the same stack before
//! its share was changed, leaves attributes of the same names.

use crate::fingerprint::Fingerprint;
use crate::share::ShareMapping;

/// The share and the stack of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Letter and path.
    pub share: Fingerprint,
    /// The stack's name.
    pub stack: Fingerprint,
}

impl Mark {
    /// The mark of a stack that maps this share.
    pub fn of(share: &ShareMapping, stack: &str) -> Self {
        let mapping = format!("{} {}", share.drive, share.remote.as_str().to_lowercase());
        Mark { share: Fingerprint::of(mapping.as_bytes()), stack: Fingerprint::of(stack.as_bytes()) }
    }

    /// The end of a proof's value.
    pub(super) fn print(&self) -> String {
        format!("{} {}", self.share, self.stack)
    }

    /// Splits the mark from a proof's value of so many words. A value without one, as earlier versions wrote it, has none.
    pub(super) fn split(value: &str, words: usize) -> (&str, Option<Self>) {
        let mut parts = value.rsplitn(3, ' ');
        let (stack, share, rest) = (parts.next(), parts.next(), parts.next());
        let mark = || {
            let (share, stack) = (Fingerprint::parse(share?)?, Fingerprint::parse(stack?)?);
            (rest?.split(' ').count() == words).then_some(Mark { share, stack })
        };
        match (rest, mark()) {
            (Some(rest), Some(mark)) => (rest, Some(mark)),
            _ => (value, None),
        }
    }
}
