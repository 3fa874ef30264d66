//! The AWS Lambda function `drain-unmapped`.
