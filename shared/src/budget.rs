//! The budget of refused log-ons: how many of our commands may yet be refused before the directory locks the account.
//!
//! A directory counts refused log-ons by *account*, and locks it for every host. So our commands cause at most
//! `REFUSAL_BUDGET` refusals in a row; then nothing that could be refused is sent until [`ROW_GAP`] has passed since the
//! last one. The evidence is SSM's command history, by EC2 instance, and the `logon` stamps. This module reads nothing
//! itself. See docs/architecture.md, Credentials.

mod allowance;
mod assess;
mod evidence;
#[cfg(test)]
mod tests;

pub use allowance::{Budget, LetIn, Refusal};
pub use assess::assess;
pub use evidence::{Attempt, Credential, Evidence, InFlight, Parameters, Stamps};
