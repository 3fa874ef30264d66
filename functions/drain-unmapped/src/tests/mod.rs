//! The deciders by table and by property: no clock, no call, no double.

mod breaker;
mod build;
mod canary;
mod draining;
mod histories;
mod ownership;
mod pace;
mod properties;
mod random;
mod reporting;
mod sending;
mod shares;
mod silence;
mod timing;
mod verdicts;
mod world;
