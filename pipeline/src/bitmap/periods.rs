//! The sets of a request's periods, in one pass over its days.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Date32Builder, Int64Array,
    ListArray, StructArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Date32Type, Field, Fields, Int64Type};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use hashbrown::HashMap;

use super::{Grouped, OfficerSet, OneGroup, WORD_BITS, read_varint, write_varint};

/// `period_sets(officers, day, n)`: aggregate; for each period of the request that has a day with a set, who was
/// in the sets of at least `n` of its days, as a list of `{period_start, officers}`.
///
/// Sets of one day are united first. Periods that slide over the days, however far they overlap, cost as much as
/// the days, not as the days of each period.
#[derive(Debug)]
pub(crate) struct PeriodSets {
    /// Half-open, in days since 1970.
    periods: Arc<[Range<i32>]>,
    signature: Signature,
}

impl PeriodSets {
    pub(crate) fn new(periods: impl IntoIterator<Item = Range<i32>>) -> Self {
        let arguments = vec![DataType::Binary, DataType::Date32, DataType::Int64];
        Self {
            periods: periods.into_iter().collect(),
            signature: Signature::exact(arguments, Volatility::Immutable),
        }
    }

    pub(crate) fn periods(&self) -> &[Range<i32>] {
        &self.periods
    }

    fn groups(&self) -> Groups {
        Groups { periods: Arc::clone(&self.periods), days_of: Vec::new(), at_least: 1 }
    }
}

impl PartialEq for PeriodSets {
    fn eq(&self, other: &Self) -> bool {
        self.periods == other.periods
    }
}

impl Eq for PeriodSets {}

impl Hash for PeriodSets {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.periods.hash(state);
    }
}

fn fields_of_period() -> Fields {
    Fields::from(vec![
        Field::new("period_start", DataType::Date32, false),
        Field::new("officers", DataType::Binary, false),
    ])
}

fn list_field() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Struct(fields_of_period()), true))
}

impl AggregateUDFImpl for PeriodSets {
    fn name(&self) -> &str {
        "period_sets"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(list_field()))
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(self.groups())))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<Arc<Field>>> {
        let field = |name: &str, data_type| {
            Arc::new(Field::new(format!("{}[{name}]", arguments.name), data_type, true))
        };
        Ok(vec![field("days", DataType::Binary), field("n", DataType::Int64)])
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.groups()))
    }
}

/// The sets of one group, by day.
type SetsByDay = BTreeMap<i32, OfficerSet>;

#[derive(Debug)]
struct Groups {
    periods: Arc<[Range<i32>]>,
    days_of: Vec<SetsByDay>,
    at_least: usize,
}

impl Groups {
    fn set_at_least(&mut self, values: &Int64Array) -> Result<()> {
        if let Some(value) = values.iter().flatten().next() {
            let Some(at_least) = usize::try_from(value).ok().filter(|n| *n >= 1) else {
                return exec_err!("period_sets counts from 1, not {value}");
            };
            self.at_least = at_least;
        }
        Ok(())
    }

    fn add(&mut self, group: usize, day: i32, bytes: &[u8]) -> Result<()> {
        self.days_of[group].entry(day).or_default().unite_encoded(bytes)
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.days_of.resize_with(total_num_groups, SetsByDay::new);
        self.set_at_least(values[2].as_primitive::<Int64Type>())?;
        let sets = values[0].as_binary::<i32>();
        let days = values[1].as_primitive::<Date32Type>();
        for (row, group) in group_indices.iter().enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if kept && sets.is_valid(row) && days.is_valid(row) {
                self.add(*group, days.value(row), sets.value(row))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let mut starts = Date32Builder::new();
        let mut sets = BinaryBuilder::new();
        let mut offsets = vec![0i32];
        let mut n_sets = 0;
        for days in emit_to.take_needed(&mut self.days_of) {
            for (start, set) in sets_of_periods(days, &self.periods, self.at_least) {
                starts.append_value(start);
                sets.append_value(set.encode());
                n_sets += 1;
            }
            offsets.push(n_sets);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(starts.finish()), Arc::new(sets.finish())];
        let periods = StructArray::try_new(fields_of_period(), columns, None)?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(list_field(), offsets, Arc::new(periods), None)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit_to.take_needed(&mut self.days_of);
        let n = Int64Array::from(vec![self.at_least as i64; groups.len()]);
        let days = BinaryArray::from_iter_values(groups.iter().map(encode_days));
        Ok(vec![Arc::new(days), Arc::new(n)])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.days_of.resize_with(total_num_groups, SetsByDay::new);
        self.set_at_least(values[1].as_primitive::<Int64Type>())?;
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate() {
            let mut bytes = states.value(row);
            while !bytes.is_empty() {
                let (day, set) = next_day(&mut bytes).ok_or_else(|| {
                    DataFusionError::Execution("damaged state of period_sets".to_owned())
                })?;
                self.add(*group, day, set)?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let groups: Vec<usize> = (0..rows).collect();
        let mut each_row =
            Self { periods: Arc::clone(&self.periods), days_of: Vec::new(), at_least: 1 };
        each_row.update_batch(values, &groups, filter, rows)?;
        each_row.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        let sets = self.days_of.iter().flat_map(SetsByDay::values);
        sets.map(|set| 16 + set.size_bytes()).sum::<usize>() + 24 * self.days_of.len()
    }
}

fn encode_days(days: &SetsByDay) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (day, set) in days {
        let set = set.encode();
        bytes.extend_from_slice(&day.to_le_bytes());
        write_varint(&mut bytes, set.len() as u32);
        bytes.extend_from_slice(&set);
    }
    bytes
}

fn next_day<'b>(bytes: &mut &'b [u8]) -> Option<(i32, &'b [u8])> {
    let (day, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    let length = read_varint(bytes)? as usize;
    let (set, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((i32::from_le_bytes(*day), set))
}

/// The periods that have a day with a set, each with who is in the sets of `at_least` of its days.
fn sets_of_periods(
    days: SetsByDay,
    periods: &[Range<i32>],
    at_least: usize,
) -> Vec<(i32, OfficerSet)> {
    let (days, sets): (Vec<i32>, Vec<OfficerSet>) = days.into_iter().unzip();
    let mut window = Window::new(&sets, at_least);
    let mut found = Vec::new();
    for period in periods {
        let span = days.partition_point(|day| *day < period.start)
            ..days.partition_point(|day| *day < period.end);
        if !span.is_empty() {
            found.push((period.start, window.move_to(span)));
        }
    }
    found
}

/// A span of days that moves forward, and who is in the sets of enough of them.
#[derive(Debug)]
enum Window<'s> {
    Union(UnionWindow<'s>),
    Repeated(RepeatedWindow<'s>),
}

impl<'s> Window<'s> {
    fn new(sets: &'s [OfficerSet], at_least: usize) -> Self {
        if at_least == 1 {
            Self::Union(UnionWindow::new(sets))
        } else {
            Self::Repeated(RepeatedWindow::new(sets, at_least))
        }
    }

    fn move_to(&mut self, span: Range<usize>) -> OfficerSet {
        match self {
            Self::Union(window) => window.move_to(span),
            Self::Repeated(window) => window.move_to(span),
        }
    }
}

/// Whether a span lies before another one or has nothing of it: then a window starts anew.
fn is_apart(span: &Range<usize>, from: &Range<usize>) -> bool {
    span.start < from.start || span.end < from.end || span.start >= from.end
}

/// A queue of two stacks: the unions of each older day with those after it, and the union of the newer days.
/// Every set is united three times at most, however long the span is.
#[derive(Debug)]
struct UnionWindow<'s> {
    sets: &'s [OfficerSet],
    span: Range<usize>,
    /// The oldest day last.
    older: Vec<OfficerSet>,
    newer: OfficerSet,
}

impl<'s> UnionWindow<'s> {
    fn new(sets: &'s [OfficerSet]) -> Self {
        Self { sets, span: 0..0, older: Vec::new(), newer: OfficerSet::default() }
    }

    fn move_to(&mut self, span: Range<usize>) -> OfficerSet {
        if is_apart(&span, &self.span) {
            *self = Self::new(self.sets);
            self.span = span.start..span.start;
        }
        for set in &self.sets[self.span.end..span.end] {
            self.newer.unite(set);
        }
        self.span.end = span.end;
        while self.span.start < span.start && self.older.pop().is_some() {
            self.span.start += 1;
        }
        if self.span.start < span.start {
            self.span.start = span.start;
            self.newer = OfficerSet::default();
            let mut union = OfficerSet::default();
            for set in self.sets[span].iter().rev() {
                union.unite(set);
                self.older.push(union.clone());
            }
        }
        let mut all = self.older.last().cloned().unwrap_or_default();
        all.unite(&self.newer);
        all
    }
}

/// Counts on how many days of the span each officer was there.
#[derive(Debug)]
struct RepeatedWindow<'s> {
    sets: &'s [OfficerSet],
    at_least: usize,
    span: Range<usize>,
    days_of: HashMap<u32, usize>,
    /// A bit for each officer who was there often enough, by word.
    often: BTreeMap<u32, u64>,
}

impl<'s> RepeatedWindow<'s> {
    fn new(sets: &'s [OfficerSet], at_least: usize) -> Self {
        Self { sets, at_least, span: 0..0, days_of: HashMap::new(), often: BTreeMap::new() }
    }

    fn move_to(&mut self, span: Range<usize>) -> OfficerSet {
        if is_apart(&span, &self.span) {
            *self = Self::new(self.sets, self.at_least);
            self.span = span.start..span.start;
        }
        for set in &self.sets[self.span.end..span.end] {
            for officer in set.iter() {
                let days = self.days_of.entry(officer).or_default();
                *days += 1;
                if *days == self.at_least {
                    *self.often.entry(officer / WORD_BITS).or_default() |= bit(officer);
                }
            }
        }
        for set in &self.sets[self.span.start..span.start] {
            for officer in set.iter() {
                let days = self.days_of.entry(officer).or_default();
                if *days == self.at_least {
                    *self.often.entry(officer / WORD_BITS).or_default() &= !bit(officer);
                }
                *days = days.saturating_sub(1);
            }
        }
        self.span = span;
        let mut set = OfficerSet::default();
        for (position, word) in &self.often {
            set.unite_word(*position, *word);
        }
        set
    }
}

fn bit(officer: u32) -> u64 {
    1 << (officer % WORD_BITS)
}

impl Grouped for Groups {
    fn ensure_group(&mut self) {
        self.days_of.resize_with(1, SetsByDay::new);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow::array::Date32Array;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn values_of(days: &[(i32, Vec<u32>)], at_least: usize) -> Vec<ArrayRef> {
        let sets = days
            .iter()
            .map(|(_, officers)| officers.iter().copied().collect::<OfficerSet>().encode());
        vec![
            Arc::new(BinaryArray::from_iter_values(sets)),
            Arc::new(Date32Array::from_iter_values(days.iter().map(|(day, _)| *day))),
            Arc::new(Int64Array::from(vec![at_least as i64; days.len()])),
        ]
    }

    /// Who was there on enough days, counted one by one.
    fn often(days: &[&(i32, Vec<u32>)], at_least: usize) -> BTreeSet<u32> {
        let everyone: BTreeSet<u32> =
            days.iter().flat_map(|(_, officers)| officers).copied().collect();
        let n_days = |one: &u32| days.iter().filter(|(_, officers)| officers.contains(one)).count();
        everyone.into_iter().filter(|one| n_days(one) >= at_least).collect()
    }

    proptest! {
        #[test]
        fn each_period_has_who_was_there_on_enough_of_its_days_however_periods_overlap(
            days in btree_map(0..60i32, vec(prop_oneof![0..70u32, 5000..5003u32], 0..8), 0..40),
            mut bounds in vec((0..70i32, 1..40i32), 1..20),
            is_sorted in any::<bool>(), at_least in 1..5usize, split in 0..40usize,
        ) {
            if is_sorted {
                bounds.sort();
            }
            let periods: Vec<Range<i32>> =
                bounds.iter().map(|(start, length)| *start..start + length).collect();
            let days: Vec<(i32, Vec<u32>)> = days.into_iter().collect();
            let split = split.min(days.len());
            // The days come by way of two accumulators, and one day by both.
            let function = PeriodSets::new(periods.iter().cloned());
            let mut merged = OneGroup(function.groups());
            for part in [&days[..split], &days[split.saturating_sub(1)..]] {
                let mut accumulator = OneGroup(function.groups());
                accumulator.update_batch(&values_of(part, at_least)).unwrap();
                let state: Vec<ArrayRef> = accumulator
                    .state().unwrap().iter().map(|value| value.to_array().unwrap()).collect();
                merged.merge_batch(&state).unwrap();
            }
            let merged = merged.0.days_of.pop().unwrap_or_default();
            let found: Vec<_> = sets_of_periods(merged, &periods, at_least)
                .into_iter()
                .map(|(start, set)| (start, set.iter().collect::<BTreeSet<u32>>()))
                .collect();
            let mut expected = Vec::new();
            for period in &periods {
                let inside: Vec<_> = days.iter().filter(|(day, _)| period.contains(day)).collect();
                if !inside.is_empty() {
                    expected.push((period.start, often(&inside, at_least)));
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
