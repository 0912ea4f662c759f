//! Amounts of money as they are written, turned into 分 without a rounding.

use serde::Deserialize;

/// The longest text that is read as an amount, in bytes: no amount of money needs more.
const WRITTEN_BYTES_MAX: usize = 64;

/// What one stands for where the text does not say so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// 元: 100 分.
    Yuan,
    /// 万元: 1,000,000 分.
    WanYuan,
}

impl Unit {
    /// How many decimals are whole 分.
    fn decimals(self) -> i64 {
        match self {
            Self::Yuan => 2,
            Self::WanYuan => 6,
        }
    }
}

/// The whole 分 of an amount; a unit behind the number (`元`, `万元`) counts more than `unit`.
///
/// Reads digits of full width, thousands separators and an exponent. Fails, saying why, when the text is no number, is
/// negative, is more exact than a 分, or too large.
pub(super) fn fen(written: &str, unit: Unit) -> Result<i64, &'static str> {
    if written.len() > WRITTEN_BYTES_MAX {
        return Err("is too long for an amount");
    }
    let plain: String = written.chars().filter(|c| !c.is_whitespace()).map(half_width).collect();
    let number = plain.strip_prefix("人民币").unwrap_or(&plain);
    let number = number.strip_prefix('¥').unwrap_or(number);
    let (number, unit) = unit_behind(number, unit);
    if number.starts_with('-') {
        return Err("is negative");
    }
    let (digits, whole_digits, exponent) =
        parts(number.strip_prefix('+').unwrap_or(number)).ok_or("is not an amount")?;
    if digits.bytes().all(|digit| digit == b'0') {
        return Ok(0);
    }
    let point = whole_digits + unit.decimals() + exponent;
    let split = usize::try_from(point).unwrap_or(0).min(digits.len());
    let (whole, rest) = digits.split_at(split);
    if rest.bytes().any(|digit| digit != b'0') {
        return Err("is more exact than a 分");
    }
    let zeros = u32::try_from(point - split as i64).unwrap_or(0);
    let fen = if whole.is_empty() { Some(0) } else { whole.parse::<i64>().ok() };
    10_i64
        .checked_pow(zeros)
        .and_then(|power| fen.and_then(|fen| fen.checked_mul(power)))
        .ok_or("is too large for an amount")
}

/// The character of half width that stands for one of full width, which input methods write.
pub(super) fn half_width(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character)
        }
        '\u{3000}' => ' ',
        '\u{ffe5}' => '¥',
        '\u{2212}' => '-',
        other => other,
    }
}

fn unit_behind(number: &str, unit: Unit) -> (&str, Unit) {
    let number = number.strip_suffix('整').unwrap_or(number);
    for (suffix, unit) in [("万元", Unit::WanYuan), ("万", Unit::WanYuan), ("元", Unit::Yuan)] {
        if let Some(number) = number.strip_suffix(suffix) {
            return (number, unit);
        }
    }
    (number, unit)
}

/// All digits of a number, how many stand before the point, and its exponent.
fn parts(number: &str) -> Option<(String, i64, i64)> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if exponent.len() <= 3 => (mantissa, exponent.parse().ok()?),
        Some(_) => return None,
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = without_separators(whole)?;
    let whole_digits = digits.len() as i64;
    digits.push_str(fraction);
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some((digits, whole_digits, exponent))
}

/// Digits without their thousands separators; `None` where a comma does not part groups of three: it may be a decimal one.
fn without_separators(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let are_thousands = rest.is_empty()
        || ((1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3));
    are_thousands.then(|| whole.replace(',', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(written: &str, unit: Unit, expected: Result<i64, &'static str>) {
        assert_eq!(fen(written, unit), expected, "{written}");
    }

    #[test]
    fn an_amount_is_read_as_it_is_written() {
        for (written, expected) in [
            ("0", 0),
            ("0.00", 0),
            ("200", 20_000),
            ("1234.5", 123_450),
            ("1,234,567.89", 123_456_789),
            ("１，２３４．５０", 123_450),
            ("￥ 300元整", 30_000),
            ("人民币300元", 30_000),
            ("1.5万元", 1_500_000),
            ("1.5万", 1_500_000),
            (".5", 50),
            ("12.", 1_200),
            ("12.3400000", 1_234),
            ("1.5E+4", 1_500_000),
            ("15e-1", 150),
            ("00012", 1_200),
            ("0e99", 0),
        ] {
            check(written, Unit::Yuan, Ok(expected));
        }
        check("1.5", Unit::WanYuan, Ok(1_500_000));
        check("0.000001", Unit::WanYuan, Ok(1));
        check("200元", Unit::WanYuan, Ok(20_000));
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for (written, problem) in [
            ("", "is not an amount"),
            ("元", "is not an amount"),
            (".", "is not an amount"),
            ("详见决定书", "is not an amount"),
            ("1.2.3", "is not an amount"),
            ("1,5", "is not an amount"),
            ("1,2345", "is not an amount"),
            (",123", "is not an amount"),
            ("NaN", "is not an amount"),
            ("1e1000", "is not an amount"),
            ("-5", "is negative"),
            ("－5元", "is negative"),
            ("0.001", "is more exact than a 分"),
            ("0.30000000000000004", "is more exact than a 分"),
            ("1e-9", "is more exact than a 分"),
            ("92233720368547758.08", "is too large for an amount"),
            ("1e99", "is too large for an amount"),
            (&"9".repeat(65), "is too long for an amount"),
        ] {
            check(written, Unit::Yuan, Err(problem));
        }
        check("0.0000001", Unit::WanYuan, Err("is more exact than a 分"));
    }

    /// The amount by arithmetic on a scaled whole number, with no text in between.
    fn oracle(whole: u64, fraction: u32, fraction_digits: u32, unit_fen: i128) -> Option<i64> {
        let scale = 10_i128.pow(fraction_digits);
        let scaled = (i128::from(whole) * scale + i128::from(fraction)) * unit_fen;
        (scaled % scale == 0).then(|| i64::try_from(scaled / scale).ok()).flatten()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_amount_is_exact_or_refused(
            whole in prop_oneof![0_u64..10_000_000, any::<u64>()],
            fraction_digits in 1_u32..9,
            fraction in any::<u32>(),
            is_wan in any::<bool>(),
        ) {
            let fraction = fraction % 10_u32.pow(fraction_digits);
            let written = format!("{whole}.{fraction:0width$}", width = fraction_digits as usize);
            let (unit, unit_fen) = if is_wan { (Unit::WanYuan, 1_000_000) } else { (Unit::Yuan, 100) };
            prop_assert_eq!(fen(&written, unit).ok(), oracle(whole, fraction, fraction_digits, unit_fen));
        }

        #[test]
        fn every_way_of_writing_an_amount_is_the_same_amount(total_fen in 0_i64..1_000_000_000_000) {
            let (yuan, rest) = (total_fen / 100, total_fen % 100);
            let plain = format!("{yuan}.{rest:02}");
            let wide: String = plain
                .chars()
                .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
                .collect();
            let mut grouped = yuan.to_string();
            let mut place = grouped.len();
            while place > 3 {
                place -= 3;
                grouped.insert(place, ',');
            }
            let wan = format!("{}.{:06}万元", total_fen / 1_000_000, total_fen % 1_000_000);
            for written in [plain, wide, format!("¥{grouped}.{rest:02}元"), wan] {
                prop_assert_eq!(fen(&written, Unit::Yuan), Ok(total_fen), "{}", written);
            }
        }

        #[test]
        fn any_text_is_read_without_a_crash(written in "\\PC{0,70}") {
            prop_assert!(fen(&written, Unit::WanYuan).is_ok_and(|fen| fen >= 0) || fen(&written, Unit::WanYuan).is_err());
        }
    }
}
