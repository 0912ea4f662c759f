//! Numbers with an inner rule: credit codes, identity numbers, item codes, document numbers, batches.

use chrono::NaiveDate;

use super::amount::half_width;

/// The characters of a 统一社会信用代码 in the order of their values (GB 32100-2015).
const USCC_CHARACTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// The check characters of an 18-digit identity number by remainder (GB 11643-1999).
const ID_CHECKS: &[u8; 11] = b"10X98765432";
/// The weights of its first 17 digits.
const ID_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// Whether a text is a 统一社会信用代码 with the right check character (GB 32100-2015).
pub(super) fn is_uscc(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 18
        && bytes[2..8].iter().all(u8::is_ascii_digit)
        && uscc_check(&bytes[..17]).is_some_and(|check| check == bytes[17])
}

/// The check character of the first 17: weights are the powers of 3 modulo 31.
fn uscc_check(first: &[u8]) -> Option<u8> {
    let (mut sum, mut weight) = (0, 1);
    for byte in first {
        let value = USCC_CHARACTERS.iter().position(|character| character == byte)?;
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    Some(USCC_CHARACTERS[(31 - sum % 31) % 31])
}

/// Whether a text is an identity number of 18 digits with the right check character (GB 11643-1999).
pub(super) fn is_id_card(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 =
        bytes.iter().zip(ID_WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let born = NaiveDate::parse_from_str(&text[6..14], "%Y%m%d");
    born.is_ok() && bytes[17].to_ascii_uppercase() == ID_CHECKS[(sum % 11) as usize]
}

/// Whether a text is a 监管事项目录编码: 14 digits.
pub(super) fn is_item_code(text: &str) -> bool {
    text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a 检查实施清单编码: the credit code of a unit, and a 19th character from 1 to 5.
pub(super) fn is_implementation_code(text: &str) -> bool {
    text.get(..18).is_some_and(is_uscc)
        && text.as_bytes().get(18).is_some_and(|byte| (b'1'..=b'5').contains(byte))
}

/// A document's number, written one way: half width, no blanks, the year in 〔〕 whatever brackets it was written in.
pub(super) fn document_no(written: &str) -> String {
    written
        .chars()
        .map(half_width)
        .filter(|character| !character.is_whitespace())
        .map(|character| match character {
            '[' | '(' | '【' | '﹝' | '{' => '〔',
            ']' | ')' | '】' | '﹞' | '}' => '〕',
            other => other,
        })
        .collect()
}

/// What an exchange batch does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exchange {
    /// `i`.
    Insert,
    /// `u`.
    Update,
    /// `d`.
    Delete,
}

impl Exchange {
    pub(super) fn parse(written: &str) -> Option<Self> {
        match written {
            "i" | "I" => Some(Self::Insert),
            "u" | "U" => Some(Self::Update),
            "d" | "D" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// The day of a batch number, which is `yyyymmdd` and a sequence of up to nine digits, and the revision that it gives.
///
/// The revision reads as day, sequence in nine digits, and 0, 1 or 2 for i, u and d, so that a later batch supersedes an
/// earlier one, and within a batch an update an insertion and a deletion both.
pub(super) fn batch(number: &str, exchange: Exchange) -> Option<(NaiveDate, i64)> {
    if !(8..=17).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (day, sequence) = number.split_at(8);
    let date = NaiveDate::parse_from_str(day, "%Y%m%d").ok()?;
    let day: i64 = day.parse().ok()?;
    let sequence: i64 = if sequence.is_empty() { 0 } else { sequence.parse().ok()? };
    Some((date, day * 10_000_000_000 + sequence * 10 + exchange as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn official_credit_codes_are_right_and_altered_ones_are_not() {
        for code in
            ["115001127958876282", "11500000009276118B", "115002227398230135", "115001090092980506"]
        {
            assert!(is_uscc(code), "{code}");
            let mut altered = code.as_bytes().to_vec();
            altered[10] = if altered[10] == b'1' { b'2' } else { b'1' };
            assert!(!is_uscc(std::str::from_utf8(&altered).unwrap()), "{code}");
        }
        for wrong in [
            "",
            "11500112795887628",
            "1150011279588762820",
            "11500000009276118b",
            "115I01127958876282",
        ] {
            assert!(!is_uscc(wrong), "{wrong}");
        }
        assert!(is_implementation_code("11500000009276118B3500112"));
        assert!(!is_implementation_code("11500000009276118B"));
        assert!(!is_implementation_code("11500000009276118B6"));
    }

    #[test]
    fn an_identity_number_has_a_day_of_birth_and_a_check_digit() {
        // The example of GB 11643-1999.
        assert!(is_id_card("11010519491231002X"));
        assert!(is_id_card("11010519491231002x"));
        for wrong in ["110105194912310021", "11010519491331002X", "1101051949123100", ""] {
            assert!(!is_id_card(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_document_number_is_the_same_in_whatever_brackets() {
        for written in [
            "渝北城管罚决字〔2024〕第12号",
            "渝北城管罚决字[2024]第12号",
            "渝北城管罚决字（２０２４） 第12号",
            "渝北城管罚决字【2024】第 12 号",
            " 渝北城管罚决字﹝2024﹞第12号",
        ] {
            assert_eq!(document_no(written), "渝北城管罚决字〔2024〕第12号", "{written}");
        }
    }

    #[test]
    fn a_batch_gives_a_revision_that_reads_as_itself() {
        let day = NaiveDate::from_ymd_opt(2019, 4, 11).unwrap();
        assert_eq!(batch("2019041100002", Exchange::Update), Some((day, 201_904_110_000_000_021)));
        assert_eq!(batch("20190411", Exchange::Insert), Some((day, 201_904_110_000_000_000)));
        for wrong in ["", "2019", "20191301", "20190411x", "201904110000000001", "2019-04-11"] {
            assert_eq!(batch(wrong, Exchange::Insert), None, "{wrong}");
        }
    }

    /// The check of GB 32100 by its own words: the value that makes the weighted sum divisible by 31.
    fn makes_it_divisible(code: &[u8]) -> bool {
        let value =
            |byte: u8| USCC_CHARACTERS.iter().position(|known| *known == byte).unwrap() as u128;
        let weighted: u128 = code[..17]
            .iter()
            .enumerate()
            .map(|(place, byte)| value(*byte) * 3_u128.pow(u32::try_from(place).unwrap()))
            .sum();
        (weighted + value(code[17])).is_multiple_of(31)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn one_check_character_in_31_is_right(body in "[159][1239][0-9]{6}[0-9A-HJ-NPQRTUWXY]{9}") {
            let right: Vec<u8> = USCC_CHARACTERS
                .iter()
                .copied()
                .filter(|check| is_uscc(&format!("{body}{}", char::from(*check))))
                .collect();
            prop_assert_eq!(right.len(), 1);
            prop_assert!(makes_it_divisible(&[body.as_bytes(), &right].concat()));
        }

        #[test]
        fn a_later_batch_has_the_higher_revision(
            days in proptest::collection::vec(0_i32..20_000, 2),
            sequences in proptest::collection::vec(0_u32..999_999_999, 2),
            operations in proptest::collection::vec(0_usize..3, 2),
        ) {
            let key = |which: usize| {
                let operation = [Exchange::Insert, Exchange::Update, Exchange::Delete][operations[which]];
                (days[which], sequences[which], operation)
            };
            let revision = |which: usize| {
                let (days, sequence, operation) = key(which);
                let day = NaiveDate::from_epoch_days(days).unwrap().format("%Y%m%d");
                batch(&format!("{day}{sequence:05}"), operation).unwrap().1
            };
            prop_assert_eq!(revision(0).cmp(&revision(1)), key(0).cmp(&key(1)));
        }

        #[test]
        fn any_text_is_judged_without_a_crash(text in "\\PC{0,20}") {
            let judged = [is_uscc(&text), is_id_card(&text), is_item_code(&text), is_implementation_code(&text)];
            prop_assert!(judged.iter().all(|is_right| !is_right) || text.is_ascii() || is_implementation_code(&text));
        }
    }
}
