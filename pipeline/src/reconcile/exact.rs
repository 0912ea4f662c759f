//! Exact numbers: what a report states is compared without the errors of binary fractions. Pure.

use std::cmp::Ordering;

/// The most decimals that a number is read and written with.
const DECIMALS_MAX: u32 = 12;

/// A fraction in lowest terms with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exact {
    numerator: i128,
    denominator: i128,
}

impl Exact {
    /// The decimal number that a float is written as: 71.345 is 71345/1000 and not its neighbour in
    /// base 2. `None` for what is not finite or has too many digits.
    pub(crate) fn of(value: f64) -> Option<Self> {
        let text = value.to_string();
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let scale = power_of_ten(u32::try_from(decimals.len()).ok()?)?;
        let digits: i128 = format!("{whole}{decimals}").parse().ok()?;
        Self::new(digits, scale)
    }

    fn new(numerator: i128, denominator: i128) -> Option<Self> {
        let sign = match denominator.cmp(&0) {
            Ordering::Less => -1,
            Ordering::Equal => return None,
            Ordering::Greater => 1,
        };
        let common = greatest_common_divisor(numerator, denominator).checked_mul(sign)?;
        Some(Self { numerator: numerator / common, denominator: denominator / common })
    }

    /// `self / divisor`; `None` where there is nothing to divide by.
    pub(crate) fn over(self, divisor: Self) -> Option<Self> {
        Self::new(
            self.numerator.checked_mul(divisor.denominator)?,
            self.denominator.checked_mul(divisor.numerator)?,
        )
    }

    /// `self * factor`.
    pub(crate) fn times(self, factor: i128) -> Option<Self> {
        Self::new(self.numerator.checked_mul(factor)?, self.denominator)
    }

    /// `self - other`.
    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::new(left.checked_sub(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    /// How it compares; `None` where the terms are too large to tell.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        Some(self.minus(other)?.numerator.cmp(&0))
    }

    /// Rounded half up, away from zero: the way that reports round. 0.5 becomes 1, 71.345 becomes 71.35.
    pub(crate) fn rounded(self, decimals: u32) -> Option<Self> {
        let scale = power_of_ten(decimals)?;
        let scaled = self.numerator.unsigned_abs().checked_mul(scale.unsigned_abs())?;
        let denominator = self.denominator.unsigned_abs();
        let whole = scaled / denominator;
        let rest = scaled % denominator;
        let nearest = if rest >= denominator - rest { whole + 1 } else { whole };
        let nearest = i128::try_from(nearest).ok()?.checked_mul(self.numerator.signum())?;
        Self::new(nearest, scale)
    }

    /// Whether it has no more decimals than these.
    pub(crate) fn has_decimals(self, decimals: u32) -> bool {
        self.rounded(decimals) == Some(self)
    }

    /// Written with these decimals, rounded half up.
    pub(crate) fn text(self, decimals: u32) -> Option<String> {
        let decimals = decimals.min(DECIMALS_MAX);
        let rounded = self.rounded(decimals)?;
        let scale = power_of_ten(decimals)?;
        let digits = rounded.numerator.checked_mul(scale / rounded.denominator)?;
        let sign = if digits < 0 { "-" } else { "" };
        let (whole, rest) = (digits.abs() / scale, digits.abs() % scale);
        if decimals == 0 {
            return Some(format!("{sign}{whole}"));
        }
        Some(format!("{sign}{whole}.{rest:0width$}", width = decimals as usize))
    }

    /// Written as short as it is exact: with these decimals where it is rounded, without trailing
    /// zeros where it is not. 58/58 is 100, 1423/1600 of a hundred is 88.9.
    pub(crate) fn short_text(self, decimals: u32) -> Option<String> {
        let fewest = (0..decimals).find(|fewer| self.has_decimals(*fewer)).unwrap_or(decimals);
        self.text(fewest)
    }

    /// The nearest float.
    pub(crate) fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    if exponent > 2 * DECIMALS_MAX {
        return None;
    }
    10_i128.checked_pow(exponent)
}

fn greatest_common_divisor(left: i128, right: i128) -> i128 {
    let (mut left, mut right) = (left.unsigned_abs(), right.unsigned_abs());
    while right != 0 {
        (left, right) = (right, left % right);
    }
    i128::try_from(left).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(numerator: f64, denominator: f64) -> Exact {
        let numerator = Exact::of(numerator).unwrap().times(100).unwrap();
        numerator.over(Exact::of(denominator).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(number: Exact, decimals: u32, expected: &str) {
        assert_eq!(number.text(decimals).unwrap(), expected);
    }

    #[test]
    fn rounding_is_half_up_on_the_fraction() {
        // 71.345 has no exact binary form; a float prints 71.34 at two decimals.
        check(Exact::of(71.345).unwrap(), 2, "71.35");
        check(Exact::of(0.5).unwrap(), 0, "1");
        check(Exact::of(-0.5).unwrap(), 0, "-1");
        check(Exact::of(2.4999).unwrap(), 0, "2");
        check(percent(1.0, 3.0), 4, "33.3333");
        check(percent(2.0, 3.0), 0, "67");
        check(Exact::of(0.0).unwrap(), 3, "0.000");
    }

    #[test]
    fn the_share_of_items_tells_its_two_readings_apart_at_three_decimals_only() {
        let (total_1438, total_1026) = (percent(1026.0, 1438.0), percent(732.0, 1026.0));
        check(total_1438, 3, "71.349");
        check(total_1026, 3, "71.345");
        check(total_1438, 2, "71.35");
        check(total_1026, 2, "71.35");
        let stated = Exact::of(71.345).unwrap();
        check(total_1438.minus(stated).unwrap(), 3, "0.004");
        check(total_1026.minus(stated).unwrap(), 3, "0.000");
    }

    #[test]
    fn exact_numbers_are_written_short_and_rounded_ones_keep_their_decimals() {
        assert_eq!(percent(58.0, 58.0).short_text(1).unwrap(), "100");
        assert_eq!(percent(1424.0, 1600.0).short_text(1).unwrap(), "89");
        assert_eq!(percent(1423.0, 1600.0).short_text(1).unwrap(), "88.9");
        assert_eq!(percent(7.0, 12.0).short_text(2).unwrap(), "58.33");
        assert_eq!(percent(8999.9, 10_000.0).short_text(1).unwrap(), "90.0");
    }

    #[test]
    fn what_is_not_finite_or_divides_by_zero_is_no_number() {
        assert_eq!(Exact::of(f64::NAN), None);
        assert_eq!(Exact::of(f64::INFINITY), None);
        assert_eq!(Exact::of(1.0).unwrap().over(Exact::of(0.0).unwrap()), None);
        assert_eq!(Exact::of(1e300), None);
    }

    #[test]
    fn a_sum_of_floats_still_rounds() {
        check(Exact::of(0.1 + 0.2).unwrap(), 2, "0.30");
        check(Exact::of(1.0 / 3.0).unwrap(), 3, "0.333");
        assert_eq!(Exact::of(28.5).unwrap().to_f64(), 28.5);
    }
}
