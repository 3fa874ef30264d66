//! The functions' binaries for tests, built from the current sources.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Builds the workspace's binaries, once per process, and returns their directory.
///
/// `cargo test` builds the binaries of its own package only, and binaries of an earlier build would be out of date. The
/// command is the Makefile's `build-programs`, whose features are those of `cargo test`, so that no dependency is compiled
/// again. The packaged functions have the shipped features alone.
///
/// # Panics
/// The binaries cannot be built.
pub fn build_functions() -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| {
            let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
            let mut build = Command::new(env!("CARGO"));
            build
                .args(["build", "--workspace", "--bins", "--examples", "--locked", "--quiet"])
                .current_dir(root);
            // Build scripts that watch these variables (ring's) would run again, and everything above them would be
            // rebuilt, now and at the next `cargo test`.
            for (name, _) in std::env::vars_os() {
                let text = name.to_string_lossy();
                if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                    build.env_remove(&name);
                }
            }
            let built = build.status();
            assert!(built.is_ok_and(|status| status.success()), "the functions' binaries cannot be built");
            // …/target/debug/deps/integration-0123456789abcdef
            let this = std::env::current_exe().expect("a running program has a path");
            this.ancestors().nth(2).expect("cargo's layout").to_owned()
        })
        .clone()
}
