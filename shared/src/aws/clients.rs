//! The AWS clients, and the clock.

use std::sync::OnceLock;

use aws_config::SdkConfig;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::retries::RetryPartition;
use jiff::Timestamp;

use crate::time;

/// The clients, and the clock that they and we read. A client is made when it is first used.
#[derive(Debug, Clone)]
pub struct Clients {
    config: SdkConfig,
    retry_partition: Option<RetryPartition>,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    ecs: OnceLock<aws_sdk_ecs::Client>,
    time: SharedTimeSource,
}

impl Clients {
    /// Clients over a configuration: the real one of [`sdk_config`], or a test's.
    pub fn new(config: SdkConfig) -> Self {
        let time = config.time_source().unwrap_or_default();
        Clients { config, retry_partition: None, ssm: OnceLock::new(), ecs: OnceLock::new(), time }
    }

    /// The same with a retry budget of its own instead of the SDK's process-wide one, for many functions in one process.
    pub fn with_retry_partition(config: SdkConfig, partition: RetryPartition) -> Self {
        Clients { retry_partition: Some(partition), ..Self::new(config) }
    }

    /// Systems Manager.
    pub fn ssm(&self) -> &aws_sdk_ssm::Client {
        self.ssm.get_or_init(|| {
            let mut config = aws_sdk_ssm::config::Builder::from(&self.config);
            config.set_retry_partition(self.retry_partition.clone());
            aws_sdk_ssm::Client::from_conf(config.build())
        })
    }

    /// Elastic Container Service.
    pub fn ecs(&self) -> &aws_sdk_ecs::Client {
        self.ecs.get_or_init(|| {
            let mut config = aws_sdk_ecs::config::Builder::from(&self.config);
            config.set_retry_partition(self.retry_partition.clone());
            aws_sdk_ecs::Client::from_conf(config.build())
        })
    }

    /// The time, from the SDK's own clock, so that a test moves both at once.
    pub fn now(&self) -> Timestamp {
        time::by_clock(Some(self.time.clone()))
    }
}
