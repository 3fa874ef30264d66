//! The deciders by table and by property: no clock, no call, no double.

mod breaker;
mod build;
mod canary;
mod draining;
mod histories;
mod invariants;
mod judging;
mod ownership;
mod properties;
mod random;
mod sending;
mod silence;
mod telling;
mod timing;
mod world;
