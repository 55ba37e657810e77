//! Failed reads, and the meaning of AWS's error codes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A failed call, with a message that says how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReadError {
    /// IAM prefix of the service: `rds`, `ecs`, `ec2`, `secretsmanager`, `tag`, ...
    pub service: String,
    /// For instance `DescribeDBInstances`.
    pub operation: String,
    /// The resource asked for, or the scope.
    pub resource: String,
    /// AWS's error code, or `timeout`, `connection`, ...
    pub code: String,
    /// What happened and what to do about it.
    pub message: String,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{} on {}: {}",
            self.service, self.operation, self.resource, self.message
        )
    }
}

/// What was read, or why it could not be.
pub type Read<T> = Result<T, Arc<ReadError>>;

/// Error codes that mean "not allowed".
pub const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnauthorizedException",
    "AuthorizationError",
    "NotAuthorized",
];

/// Error codes that mean "too fast".
pub const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "SlowDown",
    "BandwidthLimitExceeded",
    "LimitExceededException",
];

/// The code of what nobody told: no failure of a call, but a fact that no call gives.
pub const UNTOLD: &str = "Untold";

/// Whether nothing failed, but nothing tells.
#[must_use]
pub fn is_untold(error: &ReadError) -> bool {
    error.code == UNTOLD
}

/// The code of a call that Holdfast did not send, since what it read just before forbids it.
pub const NOT_SENT: &str = "NotSent";

/// Whether the call was not allowed.
#[must_use]
pub fn is_denied(error: &ReadError) -> bool {
    DENIED.contains(&error.code.as_str())
}

/// Whether the thing asked for is not there.
#[must_use]
pub fn is_absent(error: &ReadError) -> bool {
    let code = error.code.as_str();
    code.contains("NotFound") || code == "ParameterNotFound" || code.starts_with("NoSuch")
}

/// Whether AWS turned the call away for its rate, without carrying it out.
#[must_use]
pub fn is_throttled(error: &ReadError) -> bool {
    THROTTLED.contains(&error.code.as_str())
}

/// Error codes of servers that failed while they handled a call, and of answers that never came.
const UNCERTAIN: &[&str] = &[
    "Timeout",
    "Connection",
    "Response",
    "Unknown",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "ServerException",
    "ServiceException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
    "RequestTimeout",
    "RequestTimeoutException",
];

/// Whether a call that failed so may have taken effect all the same.
#[must_use]
pub fn is_uncertain(error: &ReadError) -> bool {
    UNCERTAIN.contains(&error.code.as_str())
}
