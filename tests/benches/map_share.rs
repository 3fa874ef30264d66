//! What a record costs that asks for nothing: an event about a task of a mapped instance, of which ECS emits one for every
//! task started or stopped. From the batch's JSON over parsing and planning to the answer, without a call.
//!
//! `make bench-items`; the throughput printed is in records.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use tests::burst::noise;
use tests::local_aws::in_process::Process;
use tests::map_share::CALLER;

const RECORDS: usize = 100;

fn bench(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let (story, batch) = {
        let _in_runtime = runtime.enter();
        noise(RECORDS)
    };
    let app = story.app(&Process::new(&story.local, CALLER));
    let deadline = story.local.clock().now() + std::time::Duration::from_secs(60);
    let mut group = criterion.benchmark_group("plan");
    group.throughput(Throughput::Elements(u64::try_from(RECORDS).expect("a hundred")));
    group.bench_function("a batch of task events of mapped instances", |bencher| {
        let handle = |batch: Value| runtime.block_on(map_share::handle(&app, batch, deadline));
        bencher.iter_batched(|| batch.clone(), handle, BatchSize::SmallInput);
    });
    group.finish();
    assert!(story.calls().is_empty(), "no call was made");
}

criterion_group!(benches, bench);
criterion_main!(benches);
