//! The AWS Lambda function `map-share`.
