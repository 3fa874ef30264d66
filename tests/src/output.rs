//! Captured logs and metrics of functions.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// The captured bytes.
#[derive(Debug, Clone, Default)]
pub struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    /// Captures the logs of this thread while the guard lives.
    pub fn listen(&self) -> DefaultGuard {
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_target(false);
        let lines = lines.with_max_level(tracing::Level::INFO).with_writer(self.clone());
        tracing::subscriber::set_default(lines.finish())
    }

    /// Takes the bytes captured since the last time.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Output {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
