//! One account and region as it is read and changed: the operator's `Cloud` port, by the AWS SDK.

mod aws_cloud;
mod pending_target;

pub use aws_cloud::AwsCloud;
pub use pending_target::{PendingTarget, TargetCredentials};
