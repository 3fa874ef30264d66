//! What a wave costs: counts times list prices. Systems Manager asks nothing for `SendCommand` to EC2 instances, nor for
//! standard parameters at the standard rate; EventBridge nothing for events of AWS's own.

use std::time::Duration;

use super::Figures;

/// `MemorySize` of `template.yaml`, in GB.
const MEMORY: f64 = 0.125;

/// Messages that Lambda takes from a queue, and deletes, with one request.
const MESSAGES_A_REQUEST: usize = 10;

/// US dollars, x86-64, without any free tier: list prices of us-east-1, to verify at
/// <https://aws.amazon.com/lambda/pricing/> and its neighbours `sqs`, `kms` and `cloudwatch`.
const PRICES: [Price; 5] = [
    Price { what: "Lambda, invocations", dollars: 0.20, per: 1e6 },
    Price { what: "Lambda, GB-seconds", dollars: 16.6667, per: 1e6 },
    Price { what: "SQS, requests", dollars: 0.40, per: 1e6 },
    Price { what: "KMS, decryptions of the password", dollars: 3.00, per: 1e6 },
    Price { what: "CloudWatch Logs, bytes", dollars: 0.50, per: 1e9 },
];

/// The price of so many of something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price {
    pub(super) what: &'static str,
    dollars: f64,
    per: f64,
}

impl Price {
    /// As a table shows it.
    pub(super) fn shown(&self) -> String {
        let per = if self.per > 1e8 { "10⁹" } else { "10⁶" };
        format!("${:.2} / {per}", self.dollars)
    }
}

/// Each price with how many a wave took, and what they cost in dollars.
pub(super) fn costs(figures: &Figures) -> [(Price, f64, f64); 5] {
    let invocations = figures.invocations.iter().map(Vec::len).sum::<usize>();
    let seconds = figures.invocations.iter().flatten().sum::<Duration>().as_secs_f64();
    let requests = figures.messages
        + 2 * figures.messages.div_ceil(MESSAGES_A_REQUEST)
        + 3 * figures.invocations[1].len();
    let decryptions = figures.count(|_, operation| operation == "GetParameters");
    let counts = [
        invocations as f64,
        seconds * MEMORY,
        requests as f64,
        (decryptions.made - decryptions.throttled) as f64,
        figures.logged as f64,
    ];
    let mut counts = counts.into_iter();
    PRICES.map(|price| {
        let count = counts.next().expect("one a price");
        (price, count, count * price.dollars / price.per)
    })
}
