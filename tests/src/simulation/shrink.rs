//! Finds the least of a history that still breaks the same promise.
//!
//! Faults and disturbances are switched off, kind by kind and then one by one, for as long as the promise stays broken.
//! Draws are hashes, so what stays on happens as it did before, as far as the story allows it.

use super::chance::FaultKind;
use super::deed::Kind;
use super::plan::{Plan, Switches};
use super::play::{Played, play};

/// Histories are played again at most so often.
const MOST_REPLAYS: usize = 120;

/// What is left of a history, and how it went.
pub struct Shrunk {
    /// What is switched off.
    pub switches: Switches,
    /// With its timeline.
    pub played: Played,
    /// So many were tried.
    pub replays: usize,
}

/// Shrinks the history of a seed that breaks that promise.
pub fn shrink(seed: u64, invariant: &'static str) -> Shrunk {
    let mut search = Search { seed, invariant, switches: Switches::default(), replays: 0 };
    for kind in Kind::ALL {
        search.without(|off| _ = off.kinds.insert(kind));
    }
    for kind in FaultKind::ALL {
        search.without(|off| _ = off.faults.insert(kind));
    }
    let story = Plan::draw(seed).story;
    for (place, _) in story.iter().enumerate().rev() {
        if !search.switches.kinds.contains(&story[place].kind) {
            search.without(|off| _ = off.disturbances.insert(place));
        }
    }
    let mut struck = search.play(false).struck;
    struck.reverse();
    for one in struck {
        search.without(|off| _ = off.muted.insert(one.key));
    }
    let played = search.play(true);
    Shrunk { switches: search.switches, played, replays: search.replays }
}

struct Search {
    seed: u64,
    invariant: &'static str,
    switches: Switches,
    replays: usize,
}

impl Search {
    fn play(&self, is_told: bool) -> Played {
        play(&Plan::draw(self.seed).without(&self.switches), is_told)
    }

    /// Keeps something switched off if the promise is broken all the same.
    fn without(&mut self, switch: impl FnOnce(&mut Switches)) {
        if self.replays >= MOST_REPLAYS {
            return;
        }
        self.replays += 1;
        let mut tried = self.switches.clone();
        switch(&mut tried);
        let played = play(&Plan::draw(self.seed).without(&tried), false);
        if played.violation.is_some_and(|violation| violation.invariant == self.invariant) {
            self.switches = tried;
        }
    }
}
