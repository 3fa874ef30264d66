//! The defects that `make defects` applies one at a time.

use std::process::Command;

#[test]
fn every_defect_still_applies() {
    let mut check = Command::new("python3");
    check.args([concat!(env!("CARGO_MANIFEST_DIR"), "/defects/run.py"), "--check"]);
    let checked = check.output().expect("python3 is there");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
