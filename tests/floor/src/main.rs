//! A function that answers what it is given: what no function over the same runtime, built with the same profile, can be
//! faster or smaller than. `make bench` measures the others against it.
//!
//! A package of its own, so that it is built with none of the features that the others need.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| Ok::<_, Error>(event.payload))).await
}
