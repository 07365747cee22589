//! Amounts, exact to the millionth: what was used, and what it costs.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

/// Millionths of a unit.
const UNIT: i128 = 1_000_000;
const MICROS_PER_HOUR: i128 = 3_600_000_000;
const MICROS_PER_DAY: i128 = 24 * MICROS_PER_HOUR;

/// A decimal number with six places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

impl Amount {
    /// So many millionths.
    pub const fn from_millionths(millionths: i128) -> Self {
        Self(millionths)
    }

    /// Its millionths.
    pub const fn millionths(self) -> i128 {
        self.0
    }

    /// Hours, from microseconds.
    pub fn hours(micros: i128) -> Self {
        Self(divided(micros * UNIT, MICROS_PER_HOUR))
    }

    /// The nearest binary number, for what knows no other.
    #[expect(clippy::cast_precision_loss, reason = "fifteen digits are exact")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// Without superfluous zeros: `80`, `0.5`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, places) = (size / UNIT.unsigned_abs(), size % UNIT.unsigned_abs());
        if places == 0 {
            return write!(f, "{sign}{whole}");
        }
        let places = format!("{places:06}");
        write!(f, "{sign}{whole}.{}", places.trim_end_matches('0'))
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.map(|amount| amount.0).sum())
    }
}

/// Credits over time, exact: credits per day times microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credits(i128);

impl Credits {
    /// So many credits per day for so many microseconds.
    pub fn over(cost: u64, micros: i64) -> Self {
        Self(i128::from(cost) * i128::from(micros.max(0)))
    }

    /// Credit-hours: 10 credits for 8 hours are 80.
    pub fn hours(self) -> Amount {
        Amount::hours(self.0)
    }

    /// Credit-days: what a price is for.
    pub fn days(self) -> Amount {
        Amount(divided(self.0 * UNIT, MICROS_PER_DAY))
    }

    /// As much again for each part of `whole` that `part` is: what it would be if it went on.
    #[must_use]
    pub fn extended(self, part: i64, whole: i64) -> Self {
        if part <= 0 { self } else { Self(divided(self.0 * i128::from(whole), i128::from(part))) }
    }
}

impl std::ops::AddAssign for Credits {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Credits {
    fn sum<I: Iterator<Item = Self>>(credits: I) -> Self {
        Self(credits.map(|credits| credits.0).sum())
    }
}

/// What a credit costs per day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    amount: Amount,
    currency: String,
}

/// Why a text is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// No such amount.
    #[error("a price is a number such as 0.42, with at most six places and below a billion")]
    Amount,
    /// No such currency.
    #[error("a currency is three capital letters such as EUR")]
    Currency,
}

impl Price {
    /// A price in a currency.
    pub fn new(amount: &str, currency: &str) -> Result<Self, PriceError> {
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(PriceError::Currency);
        }
        let amount: Amount = amount.parse().map_err(|_| PriceError::Amount)?;
        if amount.0 < 0 || amount.0 > 1_000_000_000 * UNIT {
            return Err(PriceError::Amount);
        }
        Ok(Self { amount, currency: currency.to_owned() })
    }

    /// Of one credit for a day.
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// ISO 4217.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// What credits cost.
    pub fn of(&self, credits: Credits) -> Amount {
        Amount(divided(credits.0 * self.amount.0, MICROS_PER_DAY))
    }
}

impl FromStr for Amount {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 12 || places.len() > 6 || !digits(whole) || !digits(places) {
            return Err(PriceError::Amount);
        }
        let whole: i128 = whole.parse().map_err(|_| PriceError::Amount)?;
        let places: i128 = format!("{places:0<6}").parse().map_err(|_| PriceError::Amount)?;
        Ok(Self(whole * UNIT + places))
    }
}

/// The nearest whole number; halves go away from zero.
fn divided(number: i128, by: i128) -> i128 {
    let half = by / 2;
    if number < 0 { (number - half) / by } else { (number + half) / by }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_credits_for_eight_hours_are_eighty_credit_hours() {
        let credits = Credits::over(10, 8 * 3_600_000_000);
        assert_eq!(credits.hours().to_string(), "80");
        assert_eq!(credits.days().to_string(), "3.333333");
        assert_eq!(Price::new("0.42", "EUR").unwrap().of(credits).to_string(), "1.4");
    }

    #[test]
    fn amounts_are_read_as_they_are_written() {
        for text in ["0", "0.5", "12.000001", "999999999"] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), text);
        }
        for text in ["", ".5", "1,5", "-1", "0.0000001", "1e3"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        assert_eq!(Amount(-1_500_000).to_string(), "-1.5");
        assert_eq!(Price::new("1", "euro"), Err(PriceError::Currency));
        assert_eq!(Price::new("2000000000", "EUR"), Err(PriceError::Amount));
    }

    #[test]
    fn what_goes_on_like_this_is_in_proportion() {
        let third = Credits::over(3, 10);
        assert_eq!(third.extended(10, 30), Credits::over(9, 10));
        assert_eq!(third.extended(0, 30), third);
    }
}
