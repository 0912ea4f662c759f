//! Making a rollup of events anew in several passes, each of which fits in memory. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::event;
use crate::model::Model;

type DataResult<T> = datafusion::common::Result<T>;

/// The conditions on `events` of the passes that make a model anew: each event meets one of them, and about `most` events
/// meet each. One pass over everything has none.
///
/// `months` has the events of each partition of the log. A rollup by days is made of whole months, one by objects of
/// shares of the objects, whose events may lie in any month.
pub(super) fn passes(
    model: &Model,
    months: &BTreeMap<String, u64>,
    most: u64,
) -> Vec<Option<String>> {
    let events: u64 = months.values().sum();
    if events <= most {
        return vec![None];
    }
    let by = model.refresh_by().map(|by| by.events.as_str());
    if by == Some("event_date") && model.partition() == Some(event::PARTITION) {
        return groups(months, most).into_iter().map(|months| Some(any_of(months))).collect();
    }
    if by == Some("object_id") {
        let shares = events.div_ceil(most.max(1));
        // Without an object it is in the first.
        let share = |share| format!("coalesce({SHARE_OF}(object_id, {shares}), 0) = {share}");
        return (0..shares).map(|place| Some(share(place))).collect();
    }
    vec![None]
}

/// Months in their order, as many together as have no more than `most` events, or one that has more.
fn groups(months: &BTreeMap<String, u64>, most: u64) -> Vec<Vec<&str>> {
    let mut groups: Vec<(u64, Vec<&str>)> = Vec::new();
    for (month, events) in months {
        match groups.last_mut() {
            Some((held, group)) if *held + events <= most => {
                *held += events;
                group.push(month);
            }
            _ => groups.push((*events, vec![month])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The condition on the partitions of months.
pub(super) fn any_of<M: AsRef<str>>(months: impl IntoIterator<Item = M>) -> String {
    let months = months.into_iter().map(|month| super::quoted(month.as_ref()));
    let months: Vec<String> = months.collect();
    format!("{} in ({})", event::PARTITION, months.join(", "))
}

const SHARE_OF: &str = "share_of";

/// `share_of(text, n)`: a number below `n`, always the same for a text; `NULL` for none.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ShareOf {
    signature: Signature,
}

impl ShareOf {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ShareOf {
    fn name(&self) -> &str {
        SHARE_OF
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> DataResult<DataType> {
        if arguments.len() == 2 { Ok(DataType::Int64) } else { plan_err!("{SHARE_OF}(text, n)") }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DataResult<ColumnarValue> {
        let [texts, ColumnarValue::Scalar(ScalarValue::Int64(Some(shares)))] = &arguments.args[..]
        else {
            return exec_err!("{SHARE_OF} takes a text and a number");
        };
        let shares = shares.unsigned_abs().max(1);
        let texts = cast(&texts.to_array(arguments.number_rows)?, &DataType::Utf8)?;
        let found = texts.as_string::<i32>().iter();
        let found = found.map(|text| text.map(|text| (hash(text) % shares).cast_signed()));
        let found: ArrayRef = Arc::new(found.collect::<Int64Array>());
        Ok(ColumnarValue::Array(found))
    }
}

/// FNV-1a, whose low bits the last letters of a text reach too.
fn hash(text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let mixed = text
        .bytes()
        .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_month_is_in_one_group_and_no_group_is_larger_than_it_may_be(
            events in proptest::collection::vec(0..50u64, 0..30), most in 1..120u64,
        ) {
            let months: BTreeMap<String, u64> =
                events.iter().enumerate().map(|(month, events)| (format!("{month:02}"), *events)).collect();
            let groups = groups(&months, most);
            let all: Vec<&str> = groups.iter().flatten().copied().collect();
            prop_assert_eq!(all, months.keys().map(String::as_str).collect::<Vec<_>>());
            for group in groups {
                let held: u64 = group.iter().map(|month| months[*month]).sum();
                prop_assert!(held <= most || group.len() == 1);
            }
        }

        #[test]
        fn shares_of_many_objects_are_about_as_large(shares in 2..9u64) {
            let mut held = vec![0_u64; shares as usize];
            for number in 0..4_000 {
                held[(hash(&format!("case-{number:09}")) % shares) as usize] += 1;
            }
            let fair = 4_000 / shares;
            prop_assert!(held.iter().all(|held| held.abs_diff(fair) < fair / 4), "{held:?}");
        }
    }
}
