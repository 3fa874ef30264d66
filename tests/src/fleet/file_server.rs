//! One file server with one share.

use std::time::Duration;

/// The file server.
#[derive(Debug, Clone)]
pub struct FileServer {
    /// Whether it answers on port 445.
    pub up: bool,
    /// Whether its name resolves.
    pub resolves: bool,
    /// The name of its share. Any other share name gives error 67.
    pub share: String,
    /// The Win32 error of every read of the root after a good log-on (5 access denied, 2 not found, …).
    pub read_error: Option<u32>,
    /// How long an unused session lasts.
    pub idle_limit: Duration,
    generation: u64,
}

impl FileServer {
    /// A working server with that share.
    pub fn new(share: &str) -> Self {
        Self {
            up: true,
            resolves: true,
            share: share.to_owned(),
            read_error: None,
            idle_limit: Duration::from_secs(15 * 60),
            generation: 0,
        }
    }

    /// The server or its network fails; every session ends.
    pub fn goes_down(&mut self) {
        self.up = false;
        self.generation += 1;
    }

    /// The server answers again.
    pub fn comes_back(&mut self) {
        self.up = true;
    }

    /// Every session ends, as in a fail-over, so that the next check logs on again.
    pub fn ends_sessions(&mut self) {
        self.goes_down();
        self.comes_back();
    }

    /// Increases whenever all sessions end.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether `\\server\share\…` names the existing share, ignoring case.
    pub(crate) fn offers(&self, remote: &str) -> bool {
        let share = remote.trim_start_matches('\\').split('\\').nth(1);
        share.is_some_and(|share| share.eq_ignore_ascii_case(&self.share))
    }
}
