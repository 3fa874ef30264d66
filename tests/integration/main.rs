//! Every integration test, in one binary: linking the AWS SDK once is what takes the time.

mod runtime_api;
mod template;
