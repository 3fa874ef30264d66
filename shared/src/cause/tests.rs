use std::collections::BTreeSet;

use super::*;

#[test]
fn every_known_cause_stands_in_the_table_once_and_survives_storing() {
    let mut seen = BTreeSet::new();
    for row in known() {
        let text = row.cause.as_str();
        assert!(seen.insert(text), "{text} stands twice");
        assert!(text.len() <= 24 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{text}");
        let stored = Cause::new(text);
        assert_eq!((stored.as_str(), stored.class()), (text, row.class));
        assert_eq!((stored.meaning(), stored.remedy()), (row.meaning, row.remedy));
    }
}

#[test]
fn every_known_cause_says_what_it_means_and_what_to_do() {
    for row in known() {
        assert!(!row.meaning.is_empty() && !row.remedy.is_empty(), "{}", row.cause);
        assert_eq!(
            row.name.is_empty(),
            codes::ROWS.iter().all(|code| code.cause != row.cause),
            "{}",
            row.cause
        );
    }
}

#[test]
fn every_constant_stands_in_the_table() {
    let constants = [
        Cause::BUSY,
        Cause::LOST,
        Cause::NOT_MAPPED,
        Cause::NO_RESULT,
        Cause::OTHER_SHARE,
        Cause::PORT_445,
        Cause::REFUSED_BY_SSM,
        Cause::SILENT,
        Cause::TIMEOUT,
        Cause::UNDELIVERED,
        Cause::UNLISTED,
    ];
    for constant in constants {
        assert_eq!(known().filter(|row| row.cause == constant).count(), 1, "{constant}");
    }
}

#[test]
fn a_code_that_is_not_in_the_table_is_kept_but_of_unknown_class() {
    assert_eq!(Cause::new("4711").as_str(), "4711");
    assert_eq!(Cause::new("4711").class(), Class::Unknown);
    assert!(Cause::new("4711").remedy().contains("Microsoft"));
    assert_eq!(Cause::new("0x8007ffff").as_str(), "0x8007FFFF");
    assert_eq!(Cause::new("0X80041001").class(), Class::Network);
}

#[test]
fn a_creation_may_have_been_refused_unless_its_cause_rules_that_out() {
    for text in ["1326", "5", "unlisted", "4711", "0x80041001", "0xC000006D", "50", "87"] {
        assert!(Cause::new(text).may_be_refused_logon(), "{text}");
    }
    for text in ["53", "1311", "1219", "call-hung", "67", "2", "3", "unsupported-os"] {
        assert!(!Cause::new(text).may_be_refused_logon(), "{text}");
    }
    for row in known().filter(|row| row.cause.is_refused_logon()) {
        assert!(row.cause.may_be_refused_logon(), "{}", row.cause);
    }
}

#[test]
fn a_word_that_is_not_in_the_table_is_stored_as_unlisted() {
    let words = [
        "",
        "the password is hunter2",
        "drive in use",
        "Drive-In-Use",
        "12345678901",
        "0xZZZZZZZZ",
        "0xéééé",
    ];
    for text in words {
        assert_eq!(Cause::new(text), Cause::UNLISTED, "{text:?}");
    }
}

#[test]
fn quick_retries_are_few_where_trying_again_cannot_help() {
    let table = [
        ("53", 4),
        ("1355", 4),
        ("1326", 0),
        ("67", 1),
        ("161", 1),
        ("2", 0),
        ("85", 0),
        ("1219", 4),
        ("lost", 4),
        ("4711", 4),
    ];
    for (text, expected) in table {
        assert_eq!(Cause::new(text).quick_retries(4), expected, "{text}");
    }
    assert_eq!(Cause::new("67").quick_retries(0), 0);
}

#[test]
fn only_a_fault_that_may_pass_has_the_exit_code_of_one() {
    let exit = |text: &str| known().find(|row| row.cause.as_str() == text).and_then(Row::exit_code);
    for (text, expected) in [("53", Some(75)), ("67", Some(78)), ("1326", Some(78)), ("lost", None)] {
        assert_eq!(exit(text), expected, "{text}");
    }
}
