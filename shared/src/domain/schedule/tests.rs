use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn every(seconds: i64) -> Timing {
    Timing { every_seconds: Some(seconds), ..Timing::default() }
}

fn cron(expression: &str, zone: &str) -> Timing {
    Timing { cron: Some(expression.to_owned()), timezone: Some(zone.to_owned()), ..Timing::default() }
}

/// The next due times as text, without jitter.
fn dues(timing: &Timing, after: &str, count: usize) -> Vec<String> {
    let plan = timing.check(at(after)).unwrap();
    let due = |due: Due| due.due_at.format("%m-%d %H:%M:%S").to_string();
    plan.upcoming(Uuid::nil(), at(after), at(after)).take(count).map(due).collect()
}

fn broken(timing: &Timing) -> String {
    let errors = timing.check(at("2026-05-01T12:00:00Z")).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    format!("{}: {}", errors[0].pointer, errors[0].detail)
}

#[test]
fn an_interval_is_counted_from_its_anchor_and_does_not_drift() {
    let plan = every(900).parse().unwrap();
    let anchor = at("2026-05-01T12:00:10Z");
    let next = |after: &str| plan.next(Uuid::nil(), anchor, at(after)).unwrap().due_at;
    assert_eq!(next("2026-05-01T12:00:10Z"), at("2026-05-01T12:15:10Z"));
    assert_eq!(next("2026-05-01T12:15:09.9Z"), at("2026-05-01T12:15:10Z"));
    assert_eq!(next("2026-05-01T12:15:10Z"), at("2026-05-01T12:30:10Z"));
    assert_eq!(next("2026-05-01T12:15:10.7Z"), at("2026-05-01T12:30:10Z"));
    assert_eq!(next("2026-05-01T15:00:00Z"), at("2026-05-01T15:00:10Z"), "after many missed ones, the next");
    assert_eq!(next("2026-05-01T11:00:00Z"), at("2026-05-01T12:15:10Z"), "the clock was set back");
    let odd = at("2026-05-01T12:00:10.25Z");
    let due = plan.next(Uuid::nil(), odd, at("2026-05-01T12:15:10.3Z")).unwrap().due_at;
    assert_eq!(due, at("2026-05-01T12:30:10.25Z"));
}

#[test]
fn a_cron_expression_is_read_in_its_time_zone() {
    assert_eq!(
        dues(&cron("0 3 * * *", "Europe/Vienna"), "2026-05-01T12:00:00Z", 2),
        ["05-02 01:00:00", "05-03 01:00:00"]
    );
    assert_eq!(
        dues(&cron("30 6 * * MON-FRI", "America/New_York"), "2026-05-01T12:00:00Z", 2),
        ["05-04 10:30:00", "05-05 10:30:00"]
    );
    assert_eq!(
        dues(&cron("*/20 * * * *", "UTC"), "2026-05-01T12:00:00Z", 2),
        ["05-01 12:20:00", "05-01 12:40:00"]
    );
    assert_eq!(dues(&cron("@daily", "UTC"), "2026-05-01T12:00:00Z", 1), ["05-02 00:00:00"]);
    let utc = Timing { timezone: None, ..cron("0 3 * * *", "UTC") };
    assert_eq!(dues(&utc, "2026-05-01T12:00:00Z", 1), ["05-02 03:00:00"]);
}

/// 2026-03-29, 02:00 to 03:00 does not exist in Vienna.
#[test]
fn a_time_that_does_not_exist_comes_once_after_the_gap() {
    let nightly = cron("30 2 * * *", "Europe/Vienna");
    assert_eq!(
        dues(&nightly, "2026-03-28T00:00:00Z", 3),
        ["03-28 01:30:00", "03-29 01:00:00", "03-30 00:30:00"]
    );
    let often = cron("*/30 * * * *", "Europe/Vienna");
    assert_eq!(
        dues(&often, "2026-03-29T00:20:00Z", 3),
        ["03-29 00:30:00", "03-29 01:00:00", "03-29 01:30:00"],
        "an interval goes on evenly"
    );
}

/// 2026-10-25, 02:00 to 03:00 comes twice in Vienna.
#[test]
fn a_time_that_comes_twice_is_due_once() {
    let nightly = cron("30 2 * * *", "Europe/Vienna");
    assert_eq!(
        dues(&nightly, "2026-10-24T12:00:00Z", 3),
        ["10-25 00:30:00", "10-26 01:30:00", "10-27 01:30:00"]
    );
    let often = cron("*/30 * * * *", "Europe/Vienna");
    assert_eq!(
        dues(&often, "2026-10-25T00:10:00Z", 4),
        ["10-25 00:30:00", "10-25 01:00:00", "10-25 01:30:00", "10-25 02:00:00"],
        "an interval goes on evenly"
    );
}

#[test]
fn jitter_is_bounded_differs_and_is_the_same_for_whoever_asks() {
    let timing = Timing { jitter_seconds: 30, ..every(60) };
    let plan = timing.check(at("2026-05-01T12:00:00Z")).unwrap();
    let anchor = at("2026-05-01T12:00:00Z");
    let late = |seed: u128| {
        let dues = plan.upcoming(Uuid::from_u128(seed), anchor, anchor).take(200);
        dues.map(|due| (due.next_at - due.due_at).num_seconds()).collect::<Vec<_>>()
    };
    assert_eq!(late(1), late(1));
    assert_ne!(late(1), late(2));
    let all = late(1);
    assert!(all.iter().all(|late| (0..=30).contains(late)), "{all:?}");
    assert!(all.contains(&0) && all.contains(&30), "both ends are reached: {all:?}");
    let starts: Vec<_> =
        plan.upcoming(Uuid::nil(), anchor, anchor).take(200).map(|due| due.next_at).collect();
    assert!(starts.is_sorted(), "none overtakes another");
}

#[test]
fn a_broken_rule_names_its_field_the_value_and_the_bound() {
    assert_eq!(broken(&every(59)), "/every_seconds: 59 is out of range, 60 to 31536000 expected");
    assert_eq!(
        broken(&every(31_536_001)),
        "/every_seconds: 31536001 is out of range, 60 to 31536000 expected"
    );
    assert_eq!(broken(&Timing::default()), "/every_seconds: one of every_seconds and cron is needed");
    let both = Timing { every_seconds: Some(60), ..cron("0 3 * * *", "UTC") };
    assert_eq!(broken(&both), "/cron: every_seconds says when already: leave one of the two out");
    let zoned = Timing { timezone: Some("UTC".to_owned()), ..every(60) };
    assert_eq!(broken(&zoned), "/timezone: an interval has no time zone: it goes with cron");
    assert_eq!(
        broken(&cron("0 3 * * *", "Europe/Wien")),
        "/timezone: \"Europe/Wien\" is no time zone: an IANA name expected, as in Europe/Vienna"
    );
    let late = Timing { jitter_seconds: 60, ..every(60) };
    assert_eq!(
        broken(&late),
        "/jitter_seconds: 60 is out of range, 0 to 59 expected: due times are 60 seconds apart"
    );
    let early = Timing { jitter_seconds: -1, ..cron("0 3 * * *", "UTC") };
    assert!(broken(&early).starts_with("/jitter_seconds: -1 is out of range, 0 to 86399 expected"));
}

#[test]
fn what_is_no_cron_expression_is_told_with_the_reason() {
    for text in
        ["", "nonsense", "0 3 * *", "0 0 3 * * *", "60 3 * * *", "0 24 * * *", "0 3 * * 8", &"*".repeat(101)]
    {
        let told = broken(&cron(text, "UTC"));
        assert!(told.starts_with("/cron: \""), "{told}");
        assert!(told.contains("is no cron expression: ") && told.ends_with("as in \"0 3 * * *\""), "{told}");
    }
    assert_eq!(
        broken(&cron("0 24 * * *", "UTC")),
        "/cron: \"0 24 * * *\" is no cron expression: number out of bounds; minute, hour, day of month, month and day of \
         week expected, as in \"0 3 * * *\""
    );
    assert_eq!(broken(&cron("0 0 30 2 *", "UTC")), "/cron: \"0 0 30 2 *\" names a time that never comes");
    let two = cron("x", "y").check(at("2026-05-01T12:00:00Z")).unwrap_err();
    assert_eq!(two.len(), 2, "both are told at once: {two:?}");
}

#[test]
fn a_day_that_comes_every_four_years_is_found() {
    let plan = cron("0 0 29 2 *", "UTC").check(at("2026-05-01T00:00:00Z")).unwrap();
    let next = plan.next(Uuid::nil(), at("2026-05-01T00:00:00Z"), at("2026-05-01T00:00:00Z")).unwrap();
    assert_eq!(next.due_at, at("2028-02-29T00:00:00Z"));
}
