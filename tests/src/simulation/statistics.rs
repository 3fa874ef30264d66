//! What histories add up to: printed, so that a run that tries nothing is seen.

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
    pub sweeps: u64,
    /// Runs of `map-share`.
    pub batches: u64,
    /// Calls to AWS that arrived.
    pub calls: u64,
    /// Bytes that the functions logged and wrote as metrics.
    pub written: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Gates opened, and shut.
    pub gates: [u64; 2],
    /// Drained by us, and given back.
    pub drains: [u64; 2],
    /// Log-ons by presented credential and result: the parameters' good and bad, kept good and bad.
    pub log_ons: [u64; 4],
    /// Histories in which the directory locked the account, by whatever log-ons.
    pub locked: u64,
    /// Tasks with the share that were placed.
    pub placed: u64,
    /// Longest time from losing the drive to a shut gate or the drive's return.
    pub longest_exposure: SignedDuration,
    /// Longest time from the end of the faults until everything had settled.
    pub longest_settling: SignedDuration,
}

impl AddAssign<&Statistics> for Statistics {
    fn add_assign(&mut self, other: &Statistics) {
        self.seeds += other.seeds;
        self.time += other.time;
        self.sweeps += other.sweeps;
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
        self.longest_settling = self.longest_settling.max(other.longest_settling);
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |time: SignedDuration| time.as_secs() / 60;
        writeln!(f, "{} seeds, {} virtual hours", self.seeds, self.time.as_secs() / 3600)?;
        writeln!(
            f,
            "{} sweeps, {} batches of events, {} AWS calls, {} bytes of logs and metrics, {} faults",
            self.sweeps, self.batches, self.calls, self.written, self.faults
        )?;
        writeln!(
            f,
            "{} gates opened, {} shut; {} drained, {} given back",
            self.gates[0], self.gates[1], self.drains[0], self.drains[1]
        )?;
        let [good, bad, kept_good, kept_bad] = self.log_ons;
        writeln!(
            f,
            "log-ons: with the parameters' password {good} good, {bad} bad; with kept ones {kept_good} good, {kept_bad} bad; \
             locked in {} histories",
            self.locked
        )?;
        writeln!(
            f,
            "{} tasks with the share placed; a drive was lost under an open gate for at most {} min",
            self.placed,
            minutes(self.longest_exposure)
        )?;
        write!(f, "settled at most {} min after the faults", minutes(self.longest_settling))
    }
}
