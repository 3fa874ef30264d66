//! Histories of a whole fleet, over the handlers that ship.
//!
//! | module | what it plays |
//! |---|---|
//! | `herds` | faults that the whole fleet shares, begun at random times: what must not happen meanwhile |
//! | `credentials` | the budget of refused log-ons: how many are refused, and how long that delays everything else |

pub mod credentials;
mod herds;

pub use herds::{Herd, Silence, base, calls, herd, lock_out, mapped_fleet, open, silence};
