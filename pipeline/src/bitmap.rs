//! Exact sets of officers, and the SQL functions over them.
//!
//! Officers are numbered densely in blocks by home unit ([`crate::refresh`] keeps the dictionary), so the
//! officers of a unit on a day are a few neighbouring 64-bit words. A set is a list of runs of words
//! that are not zero: compact for a unit, exact for any mixture, and the same bytes for the same set.
//!
//! Encoding, version 1: the byte `1`, then for each run a varint gap (words skipped since the end of
//! the run before), a varint number of words, and the words, little endian.

mod periods;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Int64Array, Int64Builder,
    ListArray, ListBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, GroupsAccumulator,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use hashbrown::HashMap;

pub(crate) use periods::PeriodSets;

const VERSION: u8 = 1;
const WORD_BITS: u32 = 64;
/// Words this far from the dense span are kept apart from it: officers of another unit's block.
const MAX_GAP_WORDS: u32 = 64;

/// A set of officer numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfficerSet {
    first_word: u32,
    words: Vec<u64>,
    far: BTreeMap<u32, u64>,
}

impl OfficerSet {
    /// Adds a number; the set stays the same if it has it.
    pub fn insert(&mut self, officer_no: u32) {
        self.unite_word(officer_no / WORD_BITS, 1 << (officer_no % WORD_BITS));
    }

    /// The number of members.
    pub fn len(&self) -> u64 {
        self.word_list().into_iter().map(|(_, word)| u64::from(word.count_ones())).sum()
    }

    /// Whether nobody is in the set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.word_list().into_iter().flat_map(|(position, word)| {
            (0..WORD_BITS)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| position * WORD_BITS + bit)
        })
    }

    /// Adds every member of `other`.
    pub fn unite(&mut self, other: &Self) {
        let starts_inside = other.first_word >= self.first_word
            && other.first_word - self.first_word <= self.words.len() as u32;
        if other.far.is_empty() && starts_inside && !self.words.is_empty() {
            let start = (other.first_word - self.first_word) as usize;
            let end = start + other.words.len();
            self.words.resize(self.words.len().max(end), 0);
            for (word, more) in self.words[start..end].iter_mut().zip(&other.words) {
                *word |= more;
            }
            return;
        }
        for (position, word) in other.word_list() {
            self.unite_word(position, word);
        }
    }

    /// The members of both.
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |word, other| word & other)
    }

    /// The members that `other` does not have.
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |word, other| word & !other)
    }

    /// What becomes of each of the words with that of `other` in its place.
    fn combine(&self, other: &Self, combine: fn(u64, u64) -> u64) -> Self {
        let words: BTreeMap<u32, u64> = other.word_list().into_iter().collect();
        let mut combined = Self::default();
        for (position, word) in self.word_list() {
            let other = words.get(&position).copied().unwrap_or_default();
            combined.unite_word(position, combine(word, other));
        }
        combined
    }

    fn unite_word(&mut self, position: u32, word: u64) {
        if word == 0 {
            return;
        }
        if self.words.is_empty() {
            self.first_word = position;
        }
        let end = self.first_word + self.words.len() as u32;
        if position >= self.first_word && position <= end.saturating_add(MAX_GAP_WORDS) {
            let index = (position - self.first_word) as usize;
            if index >= self.words.len() {
                self.words.resize(index + 1, 0);
            }
            self.words[index] |= word;
        } else if position < self.first_word && self.first_word - position <= MAX_GAP_WORDS {
            let missing = (self.first_word - position) as usize;
            self.words.splice(0..0, std::iter::repeat_n(0, missing));
            self.first_word = position;
            self.words[0] |= word;
        } else {
            *self.far.entry(position).or_default() |= word;
        }
    }

    /// The words that are not zero, in ascending order; a word may stand in the span and apart.
    fn word_list(&self) -> Vec<(u32, u64)> {
        let dense = self.words.iter().enumerate().filter(|(_, word)| **word != 0);
        let dense = dense.map(|(index, word)| (self.first_word + index as u32, *word));
        if self.far.is_empty() {
            return dense.collect();
        }
        let mut all = self.far.clone();
        for (position, word) in dense {
            *all.entry(position).or_default() |= word;
        }
        all.into_iter().collect()
    }

    /// The set as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let words = self.word_list();
        let mut previous_end = 0;
        let mut rest = &words[..];
        while let Some(&(start, _)) = rest.first() {
            let length = rest
                .iter()
                .enumerate()
                .take_while(|(index, (position, _))| *position == start + *index as u32)
                .count();
            write_varint(&mut bytes, start - previous_end);
            write_varint(&mut bytes, length as u32);
            for (_, word) in &rest[..length] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            previous_end = start + length as u32;
            rest = &rest[length..];
        }
        bytes
    }

    /// Adds the members of an encoded set.
    ///
    /// Fails when the bytes are no set of this version.
    pub fn unite_encoded(&mut self, bytes: &[u8]) -> Result<()> {
        for_each_word(bytes, |position, word| self.unite_word(position, word))
    }

    /// Reads an encoded set.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut set = Self::default();
        set.unite_encoded(bytes)?;
        Ok(set)
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.words.capacity() * 8 + self.far.len() * 24
    }
}

impl FromIterator<u32> for OfficerSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

fn for_each_word(bytes: &[u8], mut take: impl FnMut(u32, u64)) -> Result<()> {
    let damaged = || DataFusionError::Execution("the bytes are not a set of officers".to_owned());
    let Some((&VERSION, mut rest)) = bytes.split_first() else { return Err(damaged()) };
    let mut position = 0u32;
    while !rest.is_empty() {
        let gap = read_varint(&mut rest).ok_or_else(damaged)?;
        let length = read_varint(&mut rest).ok_or_else(damaged)?;
        position = position.checked_add(gap).ok_or_else(damaged)?;
        for _ in 0..length {
            let (word, after) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
            take(position, u64::from_le_bytes(*word));
            position = position.checked_add(1).ok_or_else(damaged)?;
            rest = after;
        }
    }
    Ok(())
}

fn write_varint(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0u32;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Makes the set functions known to a session:
///
/// - `set_of(officer_no)`: aggregate, the set of the numbers, or of the numbers of lists;
/// - `set_union(officers)`: aggregate, the union of sets;
/// - `set_repeated(officers, n)`: aggregate, the members of at least `n` of the sets;
/// - `set_count(officers)`: the number of members, 0 for NULL;
/// - `set_intersect(a, b)`: the members of both, empty if either is NULL;
/// - `set_minus(a, b)`: the members of the first that are not in the second, NULL being empty;
/// - `set_numbers(officers)`: the members as a list of numbers in ascending order, empty for NULL.
pub fn register(context: &SessionContext) {
    for kind in [SetAggregate::Of, SetAggregate::Union, SetAggregate::Repeated] {
        context.register_udaf(AggregateUDF::from(SetFunction::new(kind)));
    }
    for kind in [ScalarKind::Count, ScalarKind::Intersect, ScalarKind::Minus, ScalarKind::Numbers] {
        context.register_udf(ScalarUDF::from(SetScalar::new(kind)));
    }
}

fn numbers_type() -> DataType {
    DataType::List(Arc::new(arrow::datatypes::Field::new_list_field(DataType::Int64, true)))
}

/// `officer_nos(officer_ids)`: the numbers of the officers of a list, by a dictionary. Officers whom
/// the dictionary does not have are left out.
#[derive(Debug)]
pub(crate) struct OfficerNos {
    dictionary: Arc<HashMap<String, i64>>,
    /// The version of the dictionary, where it is that of a lake.
    version: Option<u64>,
    signature: Signature,
}

impl OfficerNos {
    pub(crate) fn new(dictionary: Arc<HashMap<String, i64>>, version: Option<u64>) -> Self {
        Self { dictionary, version, signature: Signature::any(1, Volatility::Immutable) }
    }

    pub(crate) fn version(&self) -> Option<u64> {
        self.version
    }
}

// A session has one dictionary, so two of these functions in one plan are the same.
impl PartialEq for OfficerNos {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dictionary, &other.dictionary)
    }
}

impl Eq for OfficerNos {}

impl Hash for OfficerNos {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.dictionary).hash(state);
    }
}

impl ScalarUDFImpl for OfficerNos {
    fn name(&self) -> &str {
        "officer_nos"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(numbers_type())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let Some(lists) = arrays[0].as_list_opt::<i32>() else {
            return exec_err!("officer_nos takes a list of texts, not {}", arrays[0].data_type());
        };
        let ids = cast(lists.values(), &DataType::Utf8)?;
        let ids = ids.as_string::<i32>();
        let mut numbers = ListBuilder::new(Int64Builder::new());
        for (row, ends) in lists.value_offsets().windows(2).enumerate() {
            if lists.is_valid(row) {
                for position in ends[0] as usize..ends[1] as usize {
                    if let Some(number) = self.dictionary.get(ids.value(position)) {
                        numbers.values().append_value(*number);
                    }
                }
            }
            numbers.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(numbers.finish())))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum SetAggregate {
    Of,
    Union,
    Repeated,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SetFunction {
    kind: SetAggregate,
    signature: Signature,
}

impl SetFunction {
    fn new(kind: SetAggregate) -> Self {
        let arguments = match kind {
            SetAggregate::Of => TypeSignature::OneOf(vec![
                TypeSignature::Exact(vec![numbers_type()]),
                TypeSignature::Exact(vec![DataType::Int64]),
            ]),
            SetAggregate::Union => TypeSignature::Exact(vec![DataType::Binary]),
            SetAggregate::Repeated => TypeSignature::Exact(vec![DataType::Binary, DataType::Int64]),
        };
        Self { kind, signature: Signature::new(arguments, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for SetFunction {
    fn name(&self) -> &str {
        match self.kind {
            SetAggregate::Of => "set_of",
            SetAggregate::Union => "set_union",
            SetAggregate::Repeated => "set_repeated",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(SetGroups::new(self.kind))))
    }

    fn state_fields(
        &self,
        arguments: StateFieldsArgs<'_>,
    ) -> Result<Vec<arrow::datatypes::FieldRef>> {
        let field = |name: &str, data_type| {
            Arc::new(arrow::datatypes::Field::new(
                format!("{}[{name}]", arguments.name),
                data_type,
                true,
            ))
        };
        let mut fields = vec![field("sets", DataType::Binary)];
        if self.kind == SetAggregate::Repeated {
            fields.push(field("n", DataType::Int64));
        }
        Ok(fields)
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(SetGroups::new(self.kind)))
    }
}

/// The sets of each group. For `set_repeated` the member of layer `k` have been in more than `k` sets.
#[derive(Debug)]
struct SetGroups {
    kind: SetAggregate,
    groups: Vec<Vec<OfficerSet>>,
    at_least: usize,
    /// What the sets take: asked for after every batch, of however many groups.
    set_bytes: usize,
}

impl SetGroups {
    fn new(kind: SetAggregate) -> Self {
        Self { kind, groups: Vec::new(), at_least: 1, set_bytes: 0 }
    }

    fn layer(&mut self, group: usize) -> &mut OfficerSet {
        let layers = &mut self.groups[group];
        if layers.is_empty() {
            layers.push(OfficerSet::default());
        }
        &mut layers[0]
    }

    fn set_at_least(&mut self, values: &Int64Array) -> Result<()> {
        for value in values.iter().flatten() {
            let Some(at_least) = usize::try_from(value).ok().filter(|n| (1..=64).contains(n))
            else {
                return exec_err!("set_repeated counts from 1 to 64, not {value}");
            };
            self.at_least = at_least;
        }
        Ok(())
    }

    /// Takes in one set: who was in `k` sets and is in this one has been in `k + 1`.
    fn repeat(&mut self, group: usize, set: &OfficerSet) {
        let at_least = self.at_least;
        let layers = &mut self.groups[group];
        layers.resize_with(at_least, OfficerSet::default);
        for layer in (1..at_least).rev() {
            let again = layers[layer - 1].intersection(set);
            layers[layer].unite(&again);
        }
        layers[0].unite(set);
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Vec<OfficerSet>> {
        let taken = emit_to.take_needed(&mut self.groups);
        self.set_bytes -= taken.iter().map(|layers| size_of_layers(layers)).sum::<usize>();
        taken
    }

    /// Changes a group's sets, and what they take.
    fn change<T>(&mut self, group: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = size_of_layers(&self.groups[group]);
        let done = work(self);
        self.set_bytes += size_of_layers(&self.groups[group]);
        self.set_bytes -= before;
        done
    }
}

impl GroupsAccumulator for SetGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, Vec::new);
        let kept =
            |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        if self.kind == SetAggregate::Of {
            let lists = values[0].as_list_opt::<i32>();
            let numbers = lists.map_or(&values[0], |lists| lists.values());
            let numbers = numbers.as_primitive::<Int64Type>();
            for (row, group) in group_indices.iter().enumerate() {
                if values[0].is_null(row) || !kept(row) {
                    continue;
                }
                let span = match lists {
                    Some(lists) => {
                        let offsets = lists.value_offsets();
                        offsets[row] as usize..offsets[row + 1] as usize
                    }
                    None => row..row + 1,
                };
                self.change(*group, |groups| {
                    for position in span {
                        let number = numbers.value(position);
                        let Ok(number) = u32::try_from(number) else {
                            return exec_err!("{number} is not an officer number");
                        };
                        groups.layer(*group).insert(number);
                    }
                    Ok(())
                })?;
            }
            return Ok(());
        }
        if self.kind == SetAggregate::Repeated {
            self.set_at_least(values[1].as_primitive::<Int64Type>())?;
        }
        let sets = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate() {
            if sets.is_null(row) || !kept(row) {
                continue;
            }
            self.change(*group, |groups| {
                if groups.kind == SetAggregate::Union {
                    groups.layer(*group).unite_encoded(sets.value(row))?;
                } else {
                    groups.repeat(*group, &OfficerSet::decode(sets.value(row))?);
                }
                Ok::<_, DataFusionError>(())
            })?;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let last = match self.kind {
            SetAggregate::Repeated => self.at_least - 1,
            SetAggregate::Of | SetAggregate::Union => 0,
        };
        let mut sets = BinaryBuilder::new();
        for layers in self.take(emit_to) {
            match layers.get(last) {
                Some(set) => sets.append_value(set.encode()),
                None => sets.append_value([VERSION]),
            }
        }
        Ok(Arc::new(sets.finish()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let at_least = self.at_least as i64;
        let mut states = BinaryBuilder::new();
        let groups = self.take(emit_to);
        let rows = groups.len();
        for layers in groups {
            if self.kind == SetAggregate::Repeated {
                states.append_value(encode_layers(&layers));
            } else {
                states
                    .append_value(layers.first().map_or_else(|| vec![VERSION], OfficerSet::encode));
            }
        }
        let mut state: Vec<ArrayRef> = vec![Arc::new(states.finish())];
        if self.kind == SetAggregate::Repeated {
            state.push(Arc::new(Int64Array::from(vec![at_least; rows])));
        }
        Ok(state)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, Vec::new);
        if self.kind == SetAggregate::Repeated {
            self.set_at_least(values[1].as_primitive::<Int64Type>())?;
        }
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate() {
            if states.is_null(row) {
                continue;
            }
            self.change(*group, |groups| {
                if groups.kind == SetAggregate::Repeated {
                    // Sets that one side counted are disjoint in time from those of the other.
                    for set in split_layers(states.value(row), groups.at_least)? {
                        groups.repeat(*group, &set);
                    }
                } else {
                    groups.layer(*group).unite_encoded(states.value(row))?;
                }
                Ok::<_, DataFusionError>(())
            })?;
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
        let mut each_row = Self::new(self.kind);
        each_row.update_batch(values, &groups, filter, rows)?;
        each_row.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.set_bytes + self.groups.capacity() * size_of::<Vec<OfficerSet>>()
    }
}

fn size_of_layers(layers: &[OfficerSet]) -> usize {
    layers.iter().map(OfficerSet::size_bytes).sum()
}

/// Layers as bytes: each with its length before it.
fn encode_layers(layers: &[OfficerSet]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for layer in layers {
        let encoded = layer.encode();
        write_varint(&mut bytes, encoded.len() as u32);
        bytes.extend_from_slice(&encoded);
    }
    bytes
}

/// The layers as sets that, counted one after the other, give the same layers again: who is in
/// layer `k` is in the sets 0 to `k`.
fn split_layers(mut bytes: &[u8], at_least: usize) -> Result<Vec<OfficerSet>> {
    let damaged = || DataFusionError::Execution("damaged state of set_repeated".to_owned());
    let mut layers = Vec::with_capacity(at_least);
    while !bytes.is_empty() {
        let length = read_varint(&mut bytes).ok_or_else(damaged)? as usize;
        let (layer, rest) = bytes.split_at_checked(length).ok_or_else(damaged)?;
        layers.push(OfficerSet::decode(layer)?);
        bytes = rest;
    }
    Ok(layers)
}

/// A grouped aggregate that can be made to have its one group although it has seen no row.
trait Grouped: GroupsAccumulator + std::fmt::Debug + Sync {
    fn ensure_group(&mut self);
}

impl Grouped for SetGroups {
    fn ensure_group(&mut self) {
        self.groups.resize_with(1, Vec::new);
    }
}

/// A grouped aggregate for queries without groups.
#[derive(Debug)]
struct OneGroup<G>(G);

impl<G: Grouped> Accumulator for OneGroup<G> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; values[0].len()];
        self.0.update_batch(values, &groups, None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; states[0].len()];
        self.0.merge_batch(states, &groups, 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.ensure_group();
        let arrays = self.0.state(EmitTo::All)?;
        arrays.iter().map(|array| ScalarValue::try_from_array(array, 0)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.ensure_group();
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ScalarKind {
    Count,
    Intersect,
    Minus,
    Numbers,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SetScalar {
    kind: ScalarKind,
    signature: Signature,
}

impl SetScalar {
    fn new(kind: ScalarKind) -> Self {
        let arguments = match kind {
            ScalarKind::Count | ScalarKind::Numbers => vec![DataType::Binary],
            ScalarKind::Intersect | ScalarKind::Minus => vec![DataType::Binary, DataType::Binary],
        };
        Self { kind, signature: Signature::exact(arguments, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for SetScalar {
    fn name(&self) -> &str {
        match self.kind {
            ScalarKind::Count => "set_count",
            ScalarKind::Intersect => "set_intersect",
            ScalarKind::Minus => "set_minus",
            ScalarKind::Numbers => "set_numbers",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            ScalarKind::Count => DataType::Int64,
            ScalarKind::Intersect | ScalarKind::Minus => DataType::Binary,
            ScalarKind::Numbers => numbers_type(),
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let result: ArrayRef = match self.kind {
            ScalarKind::Count => Arc::new(counts(arrays[0].as_binary::<i32>())?),
            ScalarKind::Intersect | ScalarKind::Minus => {
                let combine = match self.kind {
                    ScalarKind::Minus => OfficerSet::difference,
                    _ => OfficerSet::intersection,
                };
                let sets = combined(arrays[0].as_binary(), arrays[1].as_binary(), combine)?;
                Arc::new(sets)
            }
            ScalarKind::Numbers => Arc::new(members(arrays[0].as_binary::<i32>())?),
        };
        Ok(ColumnarValue::Array(result))
    }
}

fn counts(sets: &BinaryArray) -> Result<Int64Array> {
    sets.iter()
        .map(|bytes| {
            let mut members = 0;
            if let Some(bytes) = bytes {
                for_each_word(bytes, |_, word| members += i64::from(word.count_ones()))?;
            }
            Ok(Some(members))
        })
        .collect()
}

fn members(sets: &BinaryArray) -> Result<ListArray> {
    let mut numbers = ListBuilder::new(Int64Builder::new());
    for bytes in sets {
        if let Some(bytes) = bytes {
            for number in OfficerSet::decode(bytes)?.iter() {
                numbers.values().append_value(i64::from(number));
            }
        }
        numbers.append(true);
    }
    Ok(numbers.finish())
}

/// Combines sets row by row; NULL is the empty set.
fn combined(
    left: &BinaryArray,
    right: &BinaryArray,
    combine: fn(&OfficerSet, &OfficerSet) -> OfficerSet,
) -> Result<BinaryArray> {
    let set = |bytes: Option<&[u8]>| bytes.map(OfficerSet::decode).transpose();
    let mut sets = BinaryBuilder::new();
    for (left, right) in left.iter().zip(right) {
        let (left, right) = (set(left)?.unwrap_or_default(), set(right)?.unwrap_or_default());
        sets.append_value(combine(&left, &right).encode());
    }
    Ok(sets.finish())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = u32> {
        prop_oneof![0..200u32, 4000..4100u32, 1_000_000..1_000_010u32]
    }

    proptest! {
        #[test]
        fn a_set_has_exactly_what_was_inserted(numbers in vec(number(), 0..200)) {
            let set: OfficerSet = numbers.iter().copied().collect();
            let expected: BTreeSet<u32> = numbers.into_iter().collect();
            prop_assert_eq!(set.len(), expected.len() as u64);
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), expected);
        }

        #[test]
        fn bytes_depend_on_the_members_only(mut numbers in vec(number(), 0..200)) {
            let set: OfficerSet = numbers.iter().copied().collect();
            numbers.reverse();
            let reversed: OfficerSet = numbers.into_iter().collect();
            prop_assert_eq!(set.encode(), reversed.encode());
            prop_assert_eq!(OfficerSet::decode(&set.encode()).unwrap().encode(), set.encode());
        }

        #[test]
        fn what_sets_are_said_to_take_is_what_they_take(
            rows in vec((0_usize..5, 0_i64..200_000), 1..200),
            first in 0_usize..5,
        ) {
            let mut groups = SetGroups::new(SetAggregate::Of);
            let numbers: ArrayRef = Arc::new(rows.iter().map(|(_, number)| Some(*number)).collect::<Int64Array>());
            let indices: Vec<usize> = rows.iter().map(|(group, _)| *group).collect();
            let said = |groups: &SetGroups| (groups.set_bytes, groups.groups.iter().map(|layers| size_of_layers(layers)).sum());
            groups.update_batch(&[numbers], &indices, None, 5).unwrap();
            let (counted, takes): (usize, usize) = said(&groups);
            prop_assert_eq!(counted, takes);
            groups.evaluate(EmitTo::First(first)).unwrap();
            let (counted, takes) = said(&groups);
            prop_assert_eq!(counted, takes);
            groups.evaluate(EmitTo::All).unwrap();
            prop_assert_eq!(groups.set_bytes, 0);
        }

        #[test]
        fn union_intersection_and_difference_are_those_of_sets(left in vec(number(), 0..100), right in vec(number(), 0..100)) {
            let (a, b): (OfficerSet, OfficerSet) = (left.iter().copied().collect(), right.iter().copied().collect());
            let (x, y): (BTreeSet<u32>, BTreeSet<u32>) = (left.into_iter().collect(), right.into_iter().collect());
            let mut union = a.clone();
            union.unite(&b);
            prop_assert_eq!(union.iter().collect::<BTreeSet<_>>(), &x | &y);
            prop_assert_eq!(a.intersection(&b).iter().collect::<BTreeSet<_>>(), &x & &y);
            prop_assert_eq!(a.difference(&b).iter().collect::<BTreeSet<_>>(), &x - &y);
        }

        #[test]
        fn repeated_members_are_those_of_enough_sets_however_the_sets_are_spread(
            sets in vec(vec(0..40u32, 0..30), 0..12), at_least in 1..6usize, split in 0..12usize,
        ) {
            let encoded: Vec<Vec<u8>> = sets.iter().map(|set| set.iter().copied().collect::<OfficerSet>().encode()).collect();
            let split = split.min(encoded.len());
            let accumulate = |part: &[Vec<u8>]| {
                let mut accumulator = OneGroup(SetGroups::new(SetAggregate::Repeated));
                let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(part));
                let n: ArrayRef = Arc::new(Int64Array::from(vec![at_least as i64; part.len()]));
                accumulator.update_batch(&[values, n]).unwrap();
                accumulator.0.at_least = at_least;
                accumulator.state().unwrap()
            };
            let mut merged = OneGroup(SetGroups::new(SetAggregate::Repeated));
            for part in [&encoded[..split], &encoded[split..]] {
                let state: Vec<ArrayRef> = accumulate(part).iter().map(|value| value.to_array().unwrap()).collect();
                merged.merge_batch(&state).unwrap();
            }
            let ScalarValue::Binary(Some(bytes)) = merged.evaluate().unwrap() else { panic!("no set") };
            let expected: BTreeSet<u32> = (0..40)
                .filter(|member| sets.iter().filter(|set| set.contains(member)).count() >= at_least)
                .collect();
            prop_assert_eq!(OfficerSet::decode(&bytes).unwrap().iter().collect::<BTreeSet<_>>(), expected);
        }

        #[test]
        fn damaged_bytes_are_an_error_and_never_a_panic(bytes in vec(any::<u8>(), 0..64)) {
            let _ = OfficerSet::decode(&bytes);
        }
    }
}
