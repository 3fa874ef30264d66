//! Task definitions: nothing is called valid that was not read, and every finding points at something.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Map, Value, json};
use shared::share::{DriveLetter, RemotePath};
use validate_task_definition::finding::Level;
use validate_task_definition::input::{self, Input};
use validate_task_definition::model::TaskDefinition;
use validate_task_definition::requirements::{Requirements, SourcePrefix};
use validate_task_definition::rule::Service;
use validate_task_definition::rules;
use validate_task_definition::{constraint, path};

use super::fuzz;
use super::inputs::files;

const TEXTS: &str = "integration/fuzz/__fuzz__/fuzz__validator__text/corpus";
const CONSTRAINTS: &str = "integration/fuzz/__fuzz__/fuzz__validator__constraint/corpus";

fn policy() -> Requirements {
    let drive = DriveLetter::parse("G").expect("a letter from D to Z");
    let mut policy = Requirements::of_drive(drive);
    policy.remote = RemotePath::parse(r"\\fs-0a1b2c3d4e5f60718.example.com\share\Directory");
    policy.allowed_prefix = SourcePrefix::parse(r"G:\Directory", drive);
    policy
}

/// What must hold for every value: its pointers exist, `valid` is the absence of errors, and nothing is valid of which a
/// container definition went unread. The answer is whether it was valid and uses the share.
fn check_value(value: &Value) -> bool {
    let Ok(Input::Definition { value: definition, .. }) = input::recognise(value) else { return false };
    let read = TaskDefinition::read(definition);
    let service =
        Service { name: "s".to_owned(), is_daemon: true, constraints: vec!["attribute:x == y".to_owned()] };
    let mut valid_with_share = false;
    for services in [None, Some(std::slice::from_ref(&service))] {
        let report = rules::check(&read, &policy(), services);
        assert_eq!(report.valid, report.count(Level::Error) == 0);
        for finding in &report.findings {
            assert!(
                definition.pointer(&finding.path).is_some(),
                "{finding:?} points nowhere in {definition}"
            );
            assert!(!finding.message.is_empty() && !finding.help.is_empty());
        }
        let read_containers = read.containers.as_ref().map_or(0, Vec::len);
        if report.valid {
            assert_eq!(
                read_containers,
                all_container_definitions(definition),
                "valid, but not all were read: {definition}"
            );
            assert!(read_containers > 0, "valid without a container: {definition}");
            valid_with_share |= report.applies;
        }
    }
    valid_with_share
}

/// Everything that anybody could take for a container definition, in any spelling.
fn all_container_definitions(definition: &Value) -> usize {
    let lists = definition.as_object().into_iter().flatten();
    let lists =
        lists.filter(|(key, value)| key.eq_ignore_ascii_case("containerDefinitions") && !value.is_null());
    lists.map(|(_, value)| value.as_array().map_or(1, Vec::len)).sum()
}

fn check_text(bytes: &[u8]) {
    if let Ok(value) = input::parse(&String::from_utf8_lossy(bytes)) {
        check_value(&value);
    }
}

#[test]
fn fuzz_text() {
    fuzz!(check_text, 4_000, [files(TEXTS), files("../events/validate-task-definition")].concat());
}

#[test]
fn fuzz_definition() {
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    static VALID: AtomicUsize = AtomicUsize::new(0);
    fn check(bytes: &[u8]) {
        let valid = check_value(&Builder(bytes.iter().copied()).document());
        TRIED.fetch_add(1, Relaxed);
        VALID.fetch_add(usize::from(valid), Relaxed);
    }
    fuzz!(check, 4_000, []);
    // If hardly any of them were, the target would have tried nothing but broken documents.
    assert!(
        VALID.load(Relaxed) > TRIED.load(Relaxed) / 20,
        "{VALID:?} of {TRIED:?} are valid and use the share"
    );
}

fn check_path(bytes: &[u8]) {
    let text: String = bytes.iter().take(40).map(|byte| fragment(*byte)).collect();
    let once = path::clean(&text);
    assert_eq!(path::clean(&once), once, "cleaning {text:?} twice is another path");
    if once.get(1..3) == Some(":\\") {
        assert!(!once.split('\\').any(|part| part == ".."), "{text:?} leads above its drive: {once:?}");
    }
    path::WindowsPath::parse(&text);
}

#[test]
fn fuzz_path() {
    fuzz!(check_path, 4_000, []);
}

/// What holds for one instance cannot also fail for it, nor the other way round.
fn check_constraint(bytes: &[u8]) {
    let expression = String::from_utf8_lossy(bytes);
    for known in [constraint::Known::Absent, constraint::Known::Value("mapped")] {
        let holds = |expression: &str| constraint::holds(expression, &[("smb.G", known)]);
        let (truth, negated) = (holds(&expression), holds(&format!("not({expression})")));
        assert!(
            truth != negated || truth == constraint::Truth::Unknown,
            "{expression} and its contrary: {truth:?}"
        );
    }
}

#[test]
fn fuzz_constraint() {
    fuzz!(check_constraint, 4_000, files(CONSTRAINTS));
}

/// Builds a document from bytes: a task definition in which anything, now and then, is something else. Random bytes get
/// far this way, and a fuzzer can change one part at a time.
struct Builder<I>(I);

type Build<'b, B> = dyn FnMut(&mut B) -> Value + 'b;

impl<I: Iterator<Item = u8>> Builder<I> {
    fn byte(&mut self) -> u8 {
        // When the bytes run out, everything is as it should be.
        self.0.next().unwrap_or(101)
    }

    fn text(&mut self) -> Value {
        let length = self.byte() % 4;
        Value::String((0..length).map(|_| fragment(self.byte())).collect())
    }

    /// What should stand there, or, now and then, something else.
    fn or_junk(&mut self, expected: impl FnOnce(&mut Self) -> Value) -> Value {
        match self.byte() {
            0..3 => self.junk(0),
            _ => expected(self),
        }
    }

    fn junk(&mut self, depth: usize) -> Value {
        match self.byte() % 8 {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => Value::from(7),
            3 if depth < 3 => (0..self.byte() % 3).map(|_| self.junk(depth + 1)).collect(),
            4 if depth < 3 => json!({KEYS[usize::from(self.byte()) % KEYS.len()]: self.junk(depth + 1)}),
            5 => self.definition(),
            6 => json!({"Fn::Sub": "${Drive}"}),
            _ => self.text(),
        }
    }

    /// An object of these members; some are left out, some spelt otherwise.
    fn object(&mut self, members: &mut [(&str, &mut Build<'_, Self>)]) -> Value {
        let mut map = Map::new();
        for (key, value) in members {
            let spelt = match self.byte() {
                0 => key.to_lowercase(),
                1 => key[..1].to_uppercase() + &key[1..],
                2..10 => continue,
                _ => (*key).to_owned(),
            };
            let value = self.or_junk(value);
            map.insert(spelt, value);
        }
        Value::Object(map)
    }

    fn list(&mut self, mut element: impl FnMut(&mut Self) -> Value) -> Value {
        (0..self.byte() % 4).map(|_| self.or_junk(&mut element)).collect()
    }

    /// The first of these, mostly.
    fn mostly(&mut self, values: &[&str]) -> Value {
        let byte = usize::from(self.byte());
        Value::from(values[if byte % 8 == 0 { byte / 8 % values.len() } else { 0 }])
    }

    fn name(&mut self) -> Value {
        self.mostly(&["state", "logs", ""])
    }

    fn source(&mut self) -> Value {
        if self.byte() < 128 { Value::from(r"G:\Directory\app-state") } else { self.path() }
    }

    fn container_path(&mut self) -> Value {
        if self.byte() < 128 { Value::from(r"C:\app") } else { self.path() }
    }

    fn path(&mut self) -> Value {
        let whole =
            [r"G:\Directory\app-state", r"C:\app", r"G:\", r"\\fs\share", "state", r"\\.\pipe\x", "/srv/app"];
        match whole.get(usize::from(self.byte() % 10)) {
            Some(path) => Value::from(*path),
            None => self.text(),
        }
    }

    fn mount_points(&mut self) -> Value {
        self.list(|b| {
            b.object(&mut [("sourceVolume", &mut Self::name), ("containerPath", &mut Self::container_path)])
        })
    }

    fn volume(&mut self) -> Value {
        let kinds = [
            "dockerVolumeConfiguration",
            "efsVolumeConfiguration",
            "fsxWindowsFileServerVolumeConfiguration",
            "x",
        ];
        let kind = kinds[usize::from(self.byte()) % 4];
        self.object(&mut [
            ("name", &mut Self::name),
            ("host", &mut |b| b.object(&mut [("sourcePath", &mut Self::source)])),
            (kind, &mut |b| match b.byte() % 4 {
                0 => json!({"fileSystemId": "fs-0a1b2c3d4e5f60718", "rootDirectory": "share"}),
                _ => Value::Null,
            }),
        ])
    }

    fn definition(&mut self) -> Value {
        self.object(&mut [
            ("family", &mut |_| Value::from("app")),
            ("containerDefinitions", &mut |b| {
                b.list(|b| {
                    b.object(&mut [("name", &mut Self::name), ("mountPoints", &mut Self::mount_points)])
                })
            }),
            ("volumes", &mut |b| b.list(Self::volume)),
            ("placementConstraints", &mut |b| {
                let expressions =
                    ["attribute:smb.G == mapped", "attribute:smb.G == shut", "attribute:x exists"];
                json!([{"type": "memberOf", "expression": b.mostly(&expressions)}])
            }),
            ("networkMode", &mut |b| b.mostly(&["awsvpc", "host"])),
            ("runtimePlatform", &mut |b| {
                let families = ["WINDOWS_SERVER_2022_CORE", "WINDOWS_SERVER_2016_FULL", "LINUX", ""];
                json!({"operatingSystemFamily": b.mostly(&families)})
            }),
            ("requiresCompatibilities", &mut |b| json!([b.mostly(&["EC2", "FARGATE"])])),
            ("mountPoints", &mut |b| if b.byte() < 16 { b.mount_points() } else { Value::Null }),
        ])
    }

    fn document(&mut self) -> Value {
        match self.byte() % 8 {
            0 => json!({"taskDefinition": self.definition()}),
            1 => json!({"Type": "AWS::ECS::TaskDefinition", "Properties": self.definition()}),
            2 => self.junk(0),
            _ => self.definition(),
        }
    }
}

const KEYS: [&str; 8] =
    ["taskDefinition", "cluster", "image", "containerDefinitions", "mountPoints", "volumes", "Ref", "a/b~"];

fn fragment(byte: u8) -> &'static str {
    const FRAGMENTS: [&str; 24] = [
        r"G:\",
        "g:",
        "C:",
        r"C:\",
        r"\",
        "/",
        "..",
        ".",
        r"\\",
        r"\\.\pipe\",
        r"\\?\",
        "Directory",
        "app-state",
        "a",
        " ",
        "*",
        ":ro",
        "windows",
        "program files",
        "\n",
        "é",
        "İ",
        "Σ",
        "unc",
    ];
    FRAGMENTS[usize::from(byte) % FRAGMENTS.len()]
}
