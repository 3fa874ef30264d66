//! A function that answers what it is given. With the feature `documented` it is the hello-world of the runtime's documentation,
//! the floor of `make bench`; without, what no function over that runtime, built with the same profile, can be faster or
//! smaller than.
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
