//! One file server with one share.

use std::time::Duration;

/// The file server that the share lives on.
#[derive(Debug, Clone)]
pub struct FileServer {
    /// Whether anything answers on port 445.
    pub up: bool,
    /// Whether its name resolves.
    pub resolves: bool,
    /// The name of the share it offers; renaming it gives error 67 to whoever asks for the old one.
    pub share: String,
    /// Answers every read of the root, after a good log-on, with this Win32 code (5 denied, 2 no such directory, …).
    pub read_error: Option<u32>,
    /// How long an unused session lives before the next access has to log on again.
    pub idle_limit: Duration,
    generation: u64,
}

impl FileServer {
    /// A healthy server with that share.
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

    /// It fails or its network does; every session ends.
    pub fn goes_down(&mut self) {
        self.up = false;
        self.generation += 1;
    }

    /// It answers again.
    pub fn comes_back(&mut self) {
        self.up = true;
    }

    /// Counts up whenever all sessions ended.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether `\\server\share\…` names the share that exists, without case.
    pub(crate) fn offers(&self, remote: &str) -> bool {
        remote
            .trim_start_matches('\\')
            .split('\\')
            .nth(1)
            .is_some_and(|share| share.eq_ignore_ascii_case(&self.share))
    }
}
