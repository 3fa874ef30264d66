//! How much happened in one history or in many. Printed, so that a simulation in which nothing happens is noticed.

use std::fmt;
use std::ops::AddAssign;

use jiff::SignedDuration;

/// Counts of one history, or of many.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Histories.
    pub seeds: u64,
    /// Virtual time.
    pub time: SignedDuration,
    /// Runs of `drain-unmapped`.
    pub reconcile_runs: u64,
    /// Runs of `map-share`.
    pub batches: u64,
    /// Calls that reached AWS.
    pub calls: u64,
    /// Bytes of logs and metrics.
    pub written: u64,
    /// Injected faults.
    pub faults: u64,
    /// Gates opened, and shut.
    pub gates: [u64; 2],
    /// Instances drained by us, and given back.
    pub drains: [u64; 2],
    /// Log-ons: with the parameters' password good and bad, with kept passwords good and bad.
    pub log_ons: [u64; 4],
    /// Histories in which the directory locked the account, by any log-on.
    pub locked: u64,
    /// Tasks with the share that were placed.
    pub placed: u64,
    /// Longest time with an open gate and without the drive.
    pub longest_exposure: SignedDuration,
    /// Longest time from the end of the faults until the fleet had converged.
    pub longest_convergence: SignedDuration,
}

impl AddAssign<&Statistics> for Statistics {
    fn add_assign(&mut self, other: &Statistics) {
        self.seeds += other.seeds;
        self.time += other.time;
        self.reconcile_runs += other.reconcile_runs;
        self.batches += other.batches;
        self.calls += other.calls;
        self.written += other.written;
        self.faults += other.faults;
        for n in 0..2 {
            self.gates[n] += other.gates[n];
            self.drains[n] += other.drains[n];
        }
        for n in 0..4 {
            self.log_ons[n] += other.log_ons[n];
        }
        self.locked += other.locked;
        self.placed += other.placed;
        self.longest_exposure = self.longest_exposure.max(other.longest_exposure);
        self.longest_convergence = self.longest_convergence.max(other.longest_convergence);
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statistics { seeds, reconcile_runs, batches, calls, written, faults, locked, placed, .. } = self;
        let ([opened, shut], [drained, given_back]) = (self.gates, self.drains);
        let [good, bad, kept_good, kept_bad] = self.log_ons;
        let minutes = |time: SignedDuration| time.as_secs() / 60;
        writeln!(f, "{seeds} seeds, {} virtual hours", self.time.as_secs() / 3600)?;
        writeln!(
            f,
            "{reconcile_runs} reconcile runs, {batches} batches of events, {calls} AWS calls, {written} bytes of logs \
             and metrics, {faults} faults"
        )?;
        writeln!(f, "{opened} gates opened, {shut} shut; {drained} drained, {given_back} given back")?;
        writeln!(
            f,
            "log-ons: with the parameters' password {good} good, {bad} bad; with kept passwords {kept_good} good, \
             {kept_bad} bad; the account was locked in {locked} histories"
        )?;
        writeln!(
            f,
            "{placed} tasks with the share placed; an open gate had no drive for at most {} min",
            minutes(self.longest_exposure)
        )?;
        write!(f, "converged at most {} min after the faults", minutes(self.longest_convergence))
    }
}
