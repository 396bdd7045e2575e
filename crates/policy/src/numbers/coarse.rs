//! Values made coarser: a time to its week or month, a postal code to its first places, a count to a range.

use std::fmt;

use chatward_message::UnixMillis;
use serde::{Deserialize, Serialize};

/// A day, in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// How coarse a time is told (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    /// The day: `2026-11-26`.
    Day,
    /// The week (ISO 8601): `2026-W48`.
    #[default]
    Week,
    /// The month: `2026-11`.
    Month,
    /// The year: `2026`.
    Year,
}

impl Span {
    /// Every one, finest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == word)
    }

    /// The time, told so.
    pub fn of(self, at: UnixMillis) -> String {
        let days = at.0 / DAY;
        let (year, month, day) = date(days);
        match self {
            Self::Day => format!("{year:04}-{month:02}-{day:02}"),
            Self::Week => Week::of(at).to_string(),
            Self::Month => format!("{year:04}-{month:02}"),
            Self::Year => format!("{year:04}"),
        }
    }
}

/// A moment as people and programs read it (RFC 3339, UTC): `2026-11-26T01:02:03Z`.
pub fn moment(at: UnixMillis) -> String {
    let seconds = at.0 % DAY / 1000;
    format!("{}T{:02}:{:02}:{:02}Z", Span::Day.of(at), seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The beginning of a day that is written `2026-11-26` (UTC); none if it is no day since 1970.
pub fn day_named(text: &str) -> Option<UnixMillis> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| -> Option<u64> {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse().ok()
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() || year < 1970 {
        return None;
    }
    let days = (first_day(year)..first_day(year + 1)).find(|days| date(*days) == (year, month, day))?;
    Some(UnixMillis(days * DAY))
}

/// A week (ISO 8601): Monday to Sunday, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week(
    // The Monday, in days since 1970; the first week begins before that.
    i64,
);

impl Week {
    /// The week of this time.
    pub fn of(at: UnixMillis) -> Self {
        let days = i64::try_from(at.0 / DAY).unwrap_or(i64::MAX / 2);
        // 1970-01-01 was a Thursday.
        Self(days - (days + 3).rem_euclid(7))
    }

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 7)
    }

    /// When it begins. The first of all begins in 1970 here.
    pub fn begins(self) -> UnixMillis {
        UnixMillis(u64::try_from(self.0).unwrap_or(0).saturating_mul(DAY))
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The week belongs to the year of its Thursday.
        let thursday = u64::try_from(self.0 + 3).unwrap_or(0);
        let (year, _, _) = date(thursday);
        let first = first_day(year);
        write!(f, "{year:04}-W{:02}", (thursday - first) / 7 + 1)
    }
}

/// The first of January of a year, in days since 1970.
fn first_day(year: u64) -> u64 {
    let before = year.saturating_sub(1);
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year.saturating_sub(1970)) * 365 + (leap_days(before) - leap_days(1969))
}

/// Year, month and day of a day since 1970 (Gregorian).
fn date(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / 366;
    while first_day(year + 1) <= days {
        year += 1;
    }
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut rest = days - first_day(year);
    for (month, length) in (1..).zip(lengths) {
        if rest < length {
            return (year, month, rest + 1);
        }
        rest -= length;
    }
    (year, 12, 31)
}

/// A postal code down to its first `keep` letters and digits: `SW1A 1AA` is `SW…` with two. Nothing is told of one that is not longer
/// than that, or that is none by its form.
pub fn postal_code(code: &str, keep: usize) -> Option<String> {
    let code = code.trim();
    let fits = (3..=12).contains(&code.len())
        && code.bytes().any(|b| b.is_ascii_digit())
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ' || b == b'-');
    let kept: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    if !fits || keep == 0 || kept.len() <= keep {
        return None;
    }
    let first: String = kept.chars().take(keep).map(|c| c.to_ascii_uppercase()).collect();
    Some(first + "…")
}

/// A place as its country, if `known` says in which it lies; else nothing: a place that nobody knows may be one house.
pub fn place(place: &str, known: impl Fn(&str) -> Option<&'static str>) -> Option<&'static str> {
    known(place.trim())
}

/// A count as a range.
pub const fn count(n: u64) -> &'static str {
    match n {
        0 => "0",
        1 => "1",
        2..=5 => "2-5",
        6..=20 => "6-20",
        _ => "21+",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days, checked with `date -u -d @… +%G-W%V`.
    const DAYS: &[(u64, &str, &str, &str)] = &[
        (0, "1970-01-01", "1970-W01", "1970-01"),
        (1_609_459_200, "2021-01-01", "2020-W53", "2021-01"),
        (1_609_718_400, "2021-01-04", "2021-W01", "2021-01"),
        (951_782_400, "2000-02-29", "2000-W09", "2000-02"),
        (1_735_603_199, "2024-12-30", "2025-W01", "2024-12"),
        (1_735_516_799, "2024-12-29", "2024-W52", "2024-12"),
        (1_795_651_200, "2026-11-26", "2026-W48", "2026-11"),
        (4_107_542_400, "2100-03-01", "2100-W09", "2100-03"),
    ];

    #[test]
    fn times_become_days_weeks_months_and_years() {
        for (seconds, day, week, month) in DAYS {
            let at = UnixMillis(seconds * 1000);
            assert_eq!(Span::Day.of(at), *day);
            assert_eq!(Span::Week.of(at), *week, "{day}");
            assert_eq!(Span::Month.of(at), *month);
            assert_eq!(Span::Year.of(at), day[..4]);
            assert!(moment(at).starts_with(day) && moment(at).ends_with('Z'));
        }
    }

    #[test]
    fn a_moment_is_told_to_the_second() {
        assert_eq!(moment(UnixMillis(1_735_603_199_999)), "2024-12-30T23:59:59Z");
        assert_eq!(moment(UnixMillis(0)), "1970-01-01T00:00:00Z");
        for (seconds, day, _, _) in DAYS {
            assert_eq!(
                day_named(day),
                Some(UnixMillis(seconds - seconds % 86_400)).map(|at| UnixMillis(at.0 * 1000))
            );
        }
        for wrong in
            ["2026-02-29", "2026-13-01", "2026-1-1", "26-01-01", "2026-01-01-", "1969-12-31", "heute", ""]
        {
            assert_eq!(day_named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn weeks_follow_each_other() {
        let mut week = Week::of(UnixMillis(1_735_603_199_000));
        assert_eq!(week.begins(), UnixMillis(1_735_516_800_000));
        let mut names = vec![week.to_string()];
        for _ in 0..52 {
            week = week.next();
            names.push(week.to_string());
        }
        assert_eq!(
            (names[0].as_str(), names[51].as_str(), names[52].as_str()),
            ("2025-W01", "2025-W52", "2026-W01")
        );
    }

    #[test]
    fn postal_codes_keep_their_first_places() {
        for (code, keep, coarse) in [
            ("10115", 2, Some("10…")),
            ("SW1A 1AA", 2, Some("SW…")),
            ("sw1a 1aa", 4, Some("SW1A…")),
            ("1234-567", 3, Some("123…")),
            ("12", 2, None),
            ("100", 3, None),
            ("Berlin", 2, None),
            ("10115", 0, None),
            ("10115; DROP", 2, None),
        ] {
            assert_eq!(postal_code(code, keep).as_deref(), coarse, "{code}");
        }
    }

    #[test]
    fn a_place_that_nobody_knows_is_not_told() {
        let known = |place: &str| (place == "Berlin").then_some("DE");
        assert_eq!(place(" Berlin ", known), Some("DE"));
        assert_eq!(place("12 Mill Lane", known), None);
    }

    #[test]
    fn counts_become_ranges() {
        assert_eq!([0, 1, 2, 5, 6, 20, 21].map(count), ["0", "1", "2-5", "2-5", "6-20", "6-20", "21+"]);
    }
}
