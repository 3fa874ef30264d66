//! Why a mapping failed: the one table of causes, with what each of them means and what to do.
//!
//! The class of a cause says where the fault may lie. Only a `host` cause can be the fault of the instance alone. The
//! rows are in `codes.rs` and `words.rs`; `make causes-doc` makes `docs/causes.md` from them.

mod codes;
mod row;
mod words;

pub use row::{Cause, Class, QuickRetries, Row, Source};

impl Cause {
    /// Takes what the script said, or what an attribute holds. Text that is neither a code nor a known word becomes
    /// [`Cause::UNLISTED`].
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        if let Some(row) = row_of(text) {
            row.cause
        } else if is_win32_code(text) {
            Cause::listed(text)
        } else if is_hresult(text) {
            Cause::listed(&format!("0x{}", text[2..].to_ascii_uppercase()))
        } else {
            Cause::UNLISTED
        }
    }

    /// A code of Windows, not a word of ours.
    pub fn is_code(&self) -> bool {
        self.as_str().starts_with(|c: char| c.is_ascii_digit())
    }

    /// Where the fault may lie.
    pub fn class(&self) -> Class {
        row_of(self.as_str()).map_or(Class::Unknown, |row| row.class)
    }

    /// Whether it says that the directory refused a log-on, which counts towards locking the account.
    pub fn is_refused_logon(&self) -> bool {
        self.class() == Class::Credentials && ![Cause::ACCESS_DENIED, Cause::BAD_CREDENTIALS].contains(self)
    }

    /// Whether a log-on may have been refused when `create` failed with it. Windows does not always say so: what is no known cause
    /// of the network, the directory or the host may be a refusal. 2, 3 and 67 are answers to an account that was let in.
    pub fn may_be_refused_logon(&self) -> bool {
        match self.class() {
            Class::Network | Class::Directory | Class::Host => *self == Cause::GENERIC_FAILURE,
            Class::Configuration => self.is_code() && !["2", "3", "67"].contains(&self.as_str()),
            Class::Credentials | Class::Unknown => true,
        }
    }

    /// Whether the recovery of another instance is a reason to try again: the fault may have been the same.
    pub fn heals_with_others(&self) -> bool {
        let of_one_instance = [Cause::MAPPED_ELSEWHERE, Cause::AWS_TOOLS_MISSING, Cause::UNSUPPORTED_OS];
        matches!(self.class(), Class::Network | Class::Directory | Class::Configuration)
            && !of_one_instance.contains(self)
    }

    /// How many quick retries (after 1, 2, 4, 8 × base) follow the first failure, of `most` in all.
    pub fn quick_retries(&self, most: u32) -> u32 {
        match row_of(self.as_str()).map_or(QuickRetries::All, |row| row.quick_retries) {
            QuickRetries::All => most,
            QuickRetries::Once => most.min(1),
            QuickRetries::Never => 0,
        }
    }

    /// What the cause means, in a few words.
    pub fn meaning(&self) -> &'static str {
        row_of(self.as_str()).map_or(codes::UNLISTED_MEANING, |row| row.meaning)
    }

    /// What an operator does about it.
    pub fn remedy(&self) -> &'static str {
        row_of(self.as_str()).map_or(codes::UNLISTED_REMEDY, |row| row.remedy)
    }
}

fn is_win32_code(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_hresult(text: &str) -> bool {
    text.len() == 10
        && (text.starts_with("0x") || text.starts_with("0X"))
        && text[2..].bytes().all(|b| b.is_ascii_hexdigit())
}

/// Every cause that the product knows, the codes first.
pub fn known() -> impl Iterator<Item = &'static Row> {
    codes::ROWS.iter().chain(words::ROWS)
}

fn row_of(text: &str) -> Option<&'static Row> {
    known().find(|row| row.cause.as_bytes() == text.as_bytes())
}

#[cfg(test)]
mod tests;
