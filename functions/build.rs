//! Links a function that is to be deployed at a fixed address.
//!
//! A position-independent executable has some 19,000 addresses to put right at each start, most of them in the SDK's tables,
//! and every page of those is copied for it: a third of the init phase, and a tenth of a megabyte of the package. What is given up is
//! the random place of the binary itself; heap, stack and libraries keep theirs.

#[expect(clippy::disallowed_methods, reason = "how cargo tells a build script")]
fn main() {
    println!("cargo:rerun-if-changed=../build.rs");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
