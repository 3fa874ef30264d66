//! A function that answers what it is given: what no function over the same runtime, built with the same profile, can be
//! faster or smaller than. `make bench` measures the others against it, and against the same with the feature `documented`:
//! the hello-world of the runtime's documentation.
//!
//! A package of its own, so that it is built with none of the features that the others need.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[cfg_attr(feature = "documented", tokio::main)]
#[cfg_attr(not(feature = "documented"), tokio::main(flavor = "current_thread"))]
async fn main() -> Result<(), Error> {
    #[cfg(feature = "documented")]
    lambda_runtime::tracing::init_default_subscriber();
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| Ok::<_, Error>(event.payload))).await
}
