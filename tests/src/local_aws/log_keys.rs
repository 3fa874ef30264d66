//! Watches the log lines of the functions: no line has a key twice.
//!
//! A JSON line has the members of its event beside those that every line has. If two have one name, a reader sees only one of
//! them. Every place in the code that logs is looked at when it is first reached, so a test that reaches it is enough.

use std::collections::BTreeSet;
use std::sync::Once;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// What every line has, whatever the event.
const OF_EVERY_LINE: [&str; 3] = ["timestamp", "level", "target"];

/// Watches all that is logged in this process from now on, unless something else takes the log.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(Watch)));
}

/// The keys that a line would have twice.
fn repeated<'m>(metadata: &'m Metadata<'_>) -> Vec<&'m str> {
    let mut seen = BTreeSet::from(OF_EVERY_LINE);
    metadata.fields().iter().map(|field| field.name()).filter(|name| !seen.insert(name)).collect()
}

struct Watch;

impl Subscriber for Watch {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let repeated = repeated(metadata);
        let of_ours = ["shared", "map_share", "drain_unmapped", "validate_task_definition"];
        let is_ours = of_ours.contains(&metadata.target().split("::").next().unwrap_or_default());
        assert!(!is_ours || repeated.is_empty(), "{:?}: {repeated:?} twice", metadata.file());
        Interest::never()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Notes what would be repeated, instead of failing.
    struct Note(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Note {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let repeated = repeated(event.metadata()).into_iter().map(str::to_owned);
            self.0.lock().unwrap().extend(repeated);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_member_named_as_the_message_or_as_what_every_line_has_is_found() {
        let found = Arc::new(Mutex::new(Vec::new()));
        tracing::subscriber::with_default(Note(found.clone()), || {
            tracing::info!(host_message = "a", cause = "b", "judged");
            tracing::info!(message = "a", "judged");
            tracing::info!(level = "a", "judged");
        });
        assert_eq!(*found.lock().unwrap(), ["message", "level"]);
    }
}
