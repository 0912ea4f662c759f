//! Durations and sizes as people write them.

use std::time::Duration;

use pipeline::maintain::Age;
use serde::{Deserialize, Deserializer, de};

/// Reads `"500ms"`, `"30s"`, `"2m"`, `"1h"` or `"7d"`.
pub(super) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    const MILLIS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let told = "write a time with its unit, such as \"30s\" or \"2m\"";
    read(deserializer, &MILLIS, told).map(|millis| Some(Duration::from_millis(millis)))
}

/// Reads `"3 years"` or `"18 months"`.
pub(super) fn age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Age>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

/// Reads `"256KB"`, `"512MB"` or `"4GB"`, in steps of 1,024.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    const BYTES: [(&str, u64); 4] = [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("B", 1)];
    read(deserializer, &BYTES, "write a size with its unit, such as \"512MB\" or \"4GB\"").map(Some)
}

/// Reads a whole number before the first unit that fits.
fn read<'de, D: Deserializer<'de>>(
    deserializer: D,
    units: &[(&str, u64)],
    told: &str,
) -> Result<u64, D::Error> {
    let wrong = || de::Error::custom(told);
    let text = String::deserialize(deserializer).map_err(|_| wrong())?;
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), factor)))
        .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(*factor).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Written {
        #[serde(default, deserialize_with = "duration")]
        time: Option<Duration>,
        #[serde(default, deserialize_with = "size")]
        size: Option<u64>,
    }

    fn written(text: &str) -> Option<Written> {
        toml::from_str(text).ok()
    }

    #[test]
    fn times_and_sizes_have_units() {
        let time = |text: &str| Some(written(&format!("time = \"{text}\""))?.time?.as_millis());
        let read = ["500ms", "30s", "2 m", "1h", "7d"].map(time);
        let expected = [500, 30_000, 120_000, 3_600_000, 7 * 86_400_000].map(Some);
        assert_eq!(read, expected);
        let size = |text: &str| written(&format!("size = \"{text}\""))?.size;
        assert_eq!(["10B", "256KB", "4 GB"].map(size), [Some(10), Some(256 << 10), Some(4 << 30)]);
        for wrong in ["", "30", "s", "-1s", "1.5s", "30 seconds", "99999999999999999h"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
        assert_eq!(written("time = 30"), None);
        assert_eq!(written("").unwrap(), Written { time: None, size: None });
    }
}
