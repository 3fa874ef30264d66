//! The AWS Lambda function `validate-task-definition`.
