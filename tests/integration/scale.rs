//! The scale study at sizes that a test affords, and whether its document is still what the program writes.

use tests::scale::{assumed, row, study};

const DOCUMENT: &str = include_str!("../../docs/scale.md");

#[test]
fn a_wave_keeps_what_is_promised_and_the_document_shows_it() {
    for instances in [10, 100] {
        let wave = study(instances);
        assert_eq!(wave.broken_promises(), [""; 0], "{instances} instances");
        let row = row(&wave);
        assert!(DOCUMENT.contains(&row), "docs/scale.md is outdated, run `make scale`: {row}");
    }
    assert!(DOCUMENT.contains(&assumed()), "docs/scale.md is outdated, run `make scale`");
}
