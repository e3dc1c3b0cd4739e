//! Durations as the reader types and reads them: `+1h30m`.

/// The units in milliseconds, the longest first.
const UNITS: [(char, u64); 4] = [
    ('d', 86_400_000),
    ('h', 3_600_000),
    ('m', 60_000),
    ('s', 1000),
];

/// The milliseconds of `+30s`, `+5m`, `+12h`, `+14d` and sums of them, such as `+1h30m`.
///
/// # Errors
///
/// The text isn't such a sum: the message says what to type instead.
pub fn parse(text: &str) -> Result<u64, String> {
    if text.starts_with('-') {
        return Err("the clock moves forward only: write +30s".to_owned());
    }
    text.strip_prefix('+')
        .and_then(total)
        .ok_or_else(|| "write a time such as +30s, +5m, +12h, +14d or +1h30m".to_owned())
}

fn total(mut text: &str) -> Option<u64> {
    let mut total: Option<u64> = None;
    while !text.is_empty() {
        let (number, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let unit = rest.chars().next()?;
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(*length)?;
        total = Some(total.unwrap_or(0).checked_add(part)?);
        text = rest.strip_prefix(unit)?;
    }
    total
}

/// `1h30m`; less than a second as `250 ms`.
pub fn show(ms: u64) -> String {
    if ms < 1000 {
        return format!("{ms} ms");
    }
    let mut left = ms;
    let mut shown = String::new();
    for (name, length) in UNITS {
        if left >= length {
            shown += &format!("{}{name}", left / length);
            left %= length;
        }
    }
    shown
}
