//! What the codes of failed calls mean.

use super::snapshot::ReadError;

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
