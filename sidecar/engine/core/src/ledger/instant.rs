//! RFC 3339 instants, as the ledger writes windows. The engine computes no calendars: time zones and
//! their changes are the hub's, here an instant is only turned into Unix milliseconds.

/// Unix milliseconds of an RFC 3339 date-time with `Z` or an offset; none where it is not one.
#[must_use]
pub fn unix_ms(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = time.split_at_checked(8)?;
    let mut parts = clock.split(':');
    let (hour, minute, second) =
        (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let whole = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !whole || second > 60 {
        return None;
    }
    let (fraction_ms, zone) = fraction_ms(rest)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - offset_seconds(zone)?) * 1_000 + fraction_ms)
}

/// Days since 1970-01-01 in the Gregorian calendar (years counted from March, in eras of 400).
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn fraction_ms(rest: &str) -> Option<(i64, &str)> {
    let Some(rest) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let end = rest.find(|it: char| !it.is_ascii_digit())?;
    let (fraction, zone) = rest.split_at_checked(end)?;
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    (end > 0).then_some((digits(&thousandths, 3)?, zone))
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if zone == "Z" || zone == "z" {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (digits(hours, 2)? * 3_600 + digits(minutes, 2)? * 60))
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let plain = text.len() == length && text.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::unix_ms;

    #[test]
    fn instants_are_read_with_their_offset() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-11-22T00:00:00+01:00", 1_795_302_000_000),
            ("2026-11-21T23:00:00Z", 1_795_302_000_000),
            ("2026-11-21T18:30:00.25-04:30", 1_795_302_000_250),
            ("2026-11-21T23:00:00.123456+00:00", 1_795_302_000_123),
        ] {
            assert_eq!(unix_ms(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T00:00:00",
            "2026-13-22T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T00:00:00+1:00",
            "2026-11-22T00:00:00.Z",
            "+026-11-22T00:00:00Z",
            "2026-11-22T00:00:00é",
        ] {
            assert_eq!(unix_ms(text), None, "{text}");
        }
    }
}
