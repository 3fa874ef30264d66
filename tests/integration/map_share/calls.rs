//! The number of AWS calls. The bench `map_share_calls` has larger bursts.

use tests::burst::{scale_out, task_noise};

#[tokio::test(start_paused = true)]
async fn a_scale_out_needs_few_calls() {
    for (instances, records) in [(1, 10), (50, 10), (50, 100), (500, 100), (500, 1_000)] {
        let burst = scale_out(instances, records).await;
        assert!(burst.ratio() <= 1.15, "{burst:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_about_tasks_of_mapped_instances_need_no_call() {
    assert_eq!(task_noise(1_000).await, 0);
}
