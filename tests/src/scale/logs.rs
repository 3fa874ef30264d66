//! Counts the bytes that the functions log, in the form in which Lambda takes them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// How many bytes were logged.
#[derive(Debug, Clone, Default)]
pub(super) struct Logged(Arc<AtomicUsize>);

impl Logged {
    /// Counts what this thread logs while the guard lives.
    pub(super) fn listen(&self) -> DefaultGuard {
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_target(false);
        let lines = lines.with_max_level(tracing::Level::INFO).with_writer(self.clone());
        tracing::subscriber::set_default(lines.finish())
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len(), Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
