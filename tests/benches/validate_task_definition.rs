//! What a check of one task definition costs, over a thousand different ones: from the event's JSON to the report.
//!
//! `make bench-items`; the time printed is that of one definition.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use shared::share::DriveLetter;
use validate_task_definition::model::TaskDefinition;
use validate_task_definition::requirements::Requirements;
use validate_task_definition::rules;

const DEFINITIONS: usize = 1000;

/// One to four containers with one to five mounts each; every other definition has something wrong.
fn definition(n: usize) -> Value {
    let mounts: Vec<Value> = (0..=n % 5)
        .map(|m| json!({"sourceVolume": format!("volume-{m}"), "containerPath": format!(r"C:\app\{m}")}))
        .collect();
    let containers: Vec<Value> = (0..=n % 4)
        .map(|c| json!({"name": format!("web-{c}"), "image": "web", "mountPoints": mounts}))
        .collect();
    let volumes: Vec<Value> = (0..=n % 5)
        .map(|v| {
            let source = if n.is_multiple_of(2) {
                format!(r"G:\Apps\{n}\{v}")
            } else {
                format!(r"\\fs\share\{n}\{v}")
            };
            json!({"name": format!("volume-{v}"), "host": {"sourcePath": source}})
        })
        .collect();
    json!({
        "family": format!("app-{n}"),
        "containerDefinitions": containers,
        "volumes": volumes,
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:smb.G == mapped"}],
        "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
    })
}

fn bench(criterion: &mut Criterion) {
    let definitions: Vec<Value> = (0..DEFINITIONS).map(definition).collect();
    let policy = Requirements::of_drive(DriveLetter::parse("G").expect("a letter from D to Z"));
    let mut next = 0;
    let mut group = criterion.benchmark_group("validate");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one of 1,000 task definitions", |bencher| {
        bencher.iter(|| {
            let value = &definitions[next % DEFINITIONS];
            next += 1;
            rules::check(&TaskDefinition::read(black_box(value)), &policy, None)
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
