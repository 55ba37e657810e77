//! Change windows: when corrections may happen.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::settings::ChangeWindow;

/// Why a change window can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Not an IANA time zone.
    #[error("time_zone {0:?} is no IANA time zone; write it like Europe/Berlin or UTC")]
    TimeZone(String),
    /// Not a cron expression of five fields.
    #[error("cron {0:?} is no cron expression of five fields (minute hour day-of-month month day-of-week)")]
    Cron(String),
}

/// Whether corrections may happen at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowState {
    /// They may, until then; `None` where there are no windows.
    Open(Option<Timestamp>),
    /// They may not; the next window opens then, if one ever does.
    Closed(Option<Timestamp>),
}

/// Whether one of `windows` is open at `now`. A window that can't be understood never opens: `config check` refuses it.
#[must_use]
pub fn state_at(windows: &[ChangeWindow], now: Timestamp) -> WindowState {
    if windows.is_empty() {
        return WindowState::Open(None);
    }
    let occurrences: Vec<Occurrences> = windows.iter().filter_map(|w| occurrences(w, now).ok()).collect();
    match occurrences.iter().filter_map(|o| o.open_until).max() {
        Some(until) => WindowState::Open(Some(until)),
        None => WindowState::Closed(occurrences.iter().filter_map(|o| o.next_start).min()),
    }
}

/// Whether a window can be understood.
///
/// # Errors
/// Which of its keys can't.
pub fn validate(window: &ChangeWindow) -> Result<(), WindowError> {
    parse(window).map(drop)
}

/// The occurrences of one window around an instant.
struct Occurrences {
    /// When the last of those that are open now ends.
    open_until: Option<Timestamp>,
    /// When the next one starts.
    next_start: Option<Timestamp>,
}

/// Parses the expression as if in UTC, so that its instants are what a clock on the wall shows.
fn parse(window: &ChangeWindow) -> Result<(cronexpr::Crontab, TimeZone), WindowError> {
    let zone = TimeZone::get(&window.time_zone).map_err(|_| WindowError::TimeZone(window.time_zone.clone()))?;
    let wrong = || WindowError::Cron(window.cron.clone());
    // The library takes a sixth field for the zone: ours has a key of its own.
    if window.cron.split_whitespace().count() != 5 {
        return Err(wrong());
    }
    let cron = cronexpr::parse_crontab(&format!("{} UTC", window.cron)).map_err(|_| wrong())?;
    Ok((cron, zone))
}

/// Most starts to follow: more than a day has minutes, so that even a window that opens each minute is covered.
const MAX_STARTS: usize = 3_000;

fn occurrences(window: &ChangeWindow, now: Timestamp) -> Result<Occurrences, WindowError> {
    let (cron, zone) = parse(window)?;
    let mut found = Occurrences {
        open_until: None,
        next_start: None,
    };
    // No clock is set by more than three hours.
    let early = minus(minus(now, window.duration), Duration::from_hours(3));
    let mut wall = zone.to_datetime(early);
    for _ in 0..MAX_STARTS {
        let after = TimeZone::UTC.to_timestamp(wall).ok();
        let start = after.and_then(|t| cron.find_next(cronexpr::MakeTimestamp(t)).ok());
        let Some(start) = start else { break };
        wall = TimeZone::UTC.to_datetime(start.timestamp());
        // A time that the clock skips counts when the clock has jumped; one that comes twice counts the first time.
        let Ok(start) = zone.to_ambiguous_timestamp(wall).compatible() else {
            break;
        };
        if start > now {
            found.next_start = Some(start);
            break;
        }
        let end = plus(start, window.duration);
        if end > now {
            found.open_until = found.open_until.max(Some(end));
        }
    }
    Ok(found)
}

fn plus(t: Timestamp, d: Duration) -> Timestamp {
    t.checked_add(d).unwrap_or(Timestamp::MAX)
}

fn minus(t: Timestamp, d: Duration) -> Timestamp {
    t.checked_sub(d).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cron: &str, hours: u64, zone: &str) -> ChangeWindow {
        ChangeWindow {
            cron: cron.into(),
            duration: Duration::from_hours(hours),
            time_zone: zone.into(),
        }
    }

    fn instant(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn is_open(windows: &[ChangeWindow], now: &str) -> bool {
        matches!(state_at(windows, instant(now)), WindowState::Open(_))
    }

    #[test]
    fn no_windows_are_always_open() {
        assert_eq!(state_at(&[], instant("2026-11-21T12:00:00Z")), WindowState::Open(None));
    }

    #[test]
    fn open_from_the_first_second_to_the_last() {
        let nightly = [window("0 3 * * *", 2, "UTC")];
        for (now, open) in [
            ("2026-11-21T02:59:59Z", false),
            ("2026-11-21T03:00:00Z", true),
            ("2026-11-21T04:59:59.999Z", true),
            ("2026-11-21T05:00:00Z", false),
        ] {
            assert_eq!(is_open(&nightly, now), open, "{now}");
        }
        let closed = WindowState::Closed(Some(instant("2026-11-22T03:00:00Z")));
        assert_eq!(state_at(&nightly, instant("2026-11-21T05:00:00Z")), closed);
    }

    #[test]
    fn a_window_over_midnight_and_one_of_several() {
        let windows = [window("0 23 * * FRI", 4, "UTC"), window("30 12 1 * *", 1, "UTC")];
        assert!(is_open(&windows, "2026-11-21T02:30:00Z"), "Saturday, begun on Friday");
        assert!(is_open(&windows, "2026-12-01T13:00:00Z"));
        assert!(!is_open(&windows, "2026-11-22T02:30:00Z"));
    }

    #[test]
    fn windows_that_overlap_end_with_the_last() {
        let windows = [window("*/30 * * * *", 1, "UTC")];
        assert_eq!(
            state_at(&windows, instant("2026-11-21T12:45:00Z")),
            WindowState::Open(Some(instant("2026-11-21T13:30:00Z")))
        );
    }

    /// Berlin: +01:00 in winter, +02:00 in summer. The hour of the wall counts, the duration is real time.
    #[test]
    fn follows_daylight_saving() {
        let nightly = [window("0 3 * * *", 1, "Europe/Berlin")];
        assert!(is_open(&nightly, "2026-01-15T02:30:00Z"), "winter");
        assert!(is_open(&nightly, "2026-07-15T01:30:00Z"), "summer");
        assert!(!is_open(&nightly, "2026-07-15T02:30:00Z"), "summer");
    }

    /// On 2027-03-28 Berlin's clocks go from 02:00 to 03:00. A window that starts in the hour that does not exist is
    /// not lost.
    #[test]
    fn a_start_that_the_clock_skips() {
        let nightly = [window("30 2 * * *", 2, "Europe/Berlin")];
        assert!(!is_open(&nightly, "2027-03-28T00:29:00Z"));
        assert!(
            is_open(&nightly, "2027-03-28T01:45:00Z"),
            "{:?}",
            state_at(&nightly, instant("2027-03-28T00:00:00Z"))
        );
        assert!(!is_open(&nightly, "2027-03-28T04:00:00Z"));
    }

    /// On 2027-10-31 they go from 03:00 back to 02:00: 02:30 comes twice, and the window opens at the first.
    #[test]
    fn a_start_that_comes_twice() {
        let nightly = [window("30 2 * * *", 1, "Europe/Berlin")];
        assert!(is_open(&nightly, "2027-10-31T00:45:00Z"), "the first 02:45");
        assert!(!is_open(&nightly, "2027-10-31T03:00:00Z"));
    }

    #[test]
    fn a_window_that_means_nothing_never_opens_and_is_refused() {
        let strange = window("0 3 * * *", 2, "Mars/Olympus");
        assert_eq!(validate(&strange), Err(WindowError::TimeZone("Mars/Olympus".into())));
        assert_eq!(
            state_at(&[strange], instant("2026-11-21T03:30:00Z")),
            WindowState::Closed(None)
        );
        for cron in ["", "3 *", "0 3 * * * UTC", "61 * * * *", "0 3 * * mond", "@daily"] {
            assert!(validate(&window(cron, 1, "UTC")).is_err(), "{cron:?}");
        }
        assert_eq!(validate(&window("0 3 * * MON-FRI", 1, "UTC")), Ok(()));
    }
}
