//! Links a function that is to be deployed at a fixed address.
//!
//! A position-independent executable has some 19,000 addresses to put right at each start, most of them in the SDK's tables,
//! and each page of those is copied for it: 2.37 ms of init instead of 2.13, and 118 page faults more. What is given up is
//! the random place of the binary itself; heap, stack and libraries keep theirs.

#[expect(clippy::disallowed_methods, reason = "how cargo tells a build script")]
fn main() {
    println!("cargo:rerun-if-changed=../build.rs");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
