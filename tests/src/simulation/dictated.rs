//! Words of SSM's that no model of a host brings about, for [`Deed::Dictate`](super::deed::Deed::Dictate).

/// Status details, exit code, output.
pub(super) const DICTATED: [(&str, i64, &str); 12] = [
    ("Undeliverable", -1, ""),
    ("Delivery Timed Out", -1, ""),
    ("Terminated", -1, ""),
    ("Cancelled", -1, ""),
    ("Execution Timed Out", -1, ""),
    ("Access Denied", -1, ""),
    ("In Progress", -1, ""),
    ("Success", 0, ""),
    (
        "Success",
        0,
        "Step execution skipped due to unsatisfied preconditions: '\"StringEquals\": [platformType, Windows]'",
    ),
    (
        "Success",
        0,
        r#"{"smbMapping":"mapped","v":1,"changed":true,"drive":"G:","remote":"\\\\fs1.corp.example.com\\another","status":"OK","privacy":true,"boot":"2026-03-01T11:00:00Z"}"#,
    ),
    (
        "Failed",
        78,
        r#"{"smbMapping":"failed","v":1,"cause":"1219","step":"create","message":"Multiple connections"}"#,
    ),
    ("Failed", 1, "At line:1 char:1\r\nMissing closing '}' in statement block\r\n"),
];
