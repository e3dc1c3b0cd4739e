//! Stretches of time as the reader types and reads them: `+1h30m`.

use std::fmt;
use std::str::FromStr;

const UNITS: [(char, u64); 4] = [
    ('d', 86_400_000),
    ('h', 3_600_000),
    ('m', 60_000),
    ('s', 1000),
];

/// A stretch of time in milliseconds.
#[derive(Clone, Copy, PartialEq)]
pub struct Span(pub u64);

impl FromStr for Span {
    type Err = String;

    /// Reads `+30s`, `+5m`, `+12h`, `+14d` and what follows one another, such as `+1h30m`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('-') {
            return Err("the clock moves forward only: write +30s".to_owned());
        }
        text.strip_prefix('+')
            .and_then(total)
            .map(Self)
            .ok_or_else(|| "write a time such as +30s, +5m, +12h, +14d or +1h30m".to_owned())
    }
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

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 {
            return write!(f, "{} ms", self.0);
        }
        let mut left = self.0;
        for (name, length) in UNITS {
            if left >= length {
                write!(f, "{}{name}", left / length)?;
                left %= length;
            }
        }
        Ok(())
    }
}
