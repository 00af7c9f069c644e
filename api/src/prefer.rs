//! The `Prefer` header (RFC 7240): `wait=N` makes an answer wait for the job's end, at most 60 seconds.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

/// The longest wait, in seconds.
pub const MAX_WAIT_SECONDS: u64 = 60;

/// The header that a client asks with.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The header that says what was followed.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the client is ready to wait; none when it did not say, or not in a way that can be read, which
/// the RFC wants ignored. What is more than [`MAX_WAIT_SECONDS`] is cut to that.
pub fn wait(request: &HttpRequest) -> Option<Duration> {
    let values = request.headers().get_all(PREFER).filter_map(|value| value.to_str().ok());
    let seconds = values.flat_map(|value| value.split([',', ';'])).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("wait") { value.parse::<u64>().ok() } else { None }
    })?;
    Some(Duration::from_secs(seconds.min(MAX_WAIT_SECONDS)))
}

/// The value of [`PREFERENCE_APPLIED`] for a wait that was followed.
pub fn applied(wait: Duration) -> String {
    format!("wait={}", wait.as_secs())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn wait_of(value: &str) -> Option<u64> {
        let request = TestRequest::default().insert_header((PREFER, value)).to_http_request();
        wait(&request).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        assert_eq!(wait_of("wait=5"), Some(5));
        assert_eq!(wait_of("respond-async, WAIT = \"7\""), Some(7));
        assert_eq!(wait_of("wait=0"), Some(0));
    }

    #[test]
    fn a_long_wait_is_cut_and_a_bad_one_ignored() {
        assert_eq!(wait_of("wait=3600"), Some(MAX_WAIT_SECONDS));
        assert_eq!(wait_of("wait=soon"), None);
        assert_eq!(wait_of("wait=-1"), None);
        assert_eq!(wait_of("respond-async"), None);
    }
}
