//! Bounds for functions that make much out of little.
//!
//! The engine counts the memory of sorts, joins and groups, but not that of a single value: `repeat('x', 1000000000)`
//! takes a gigabyte while the query is planned, and `array_repeat(1, 2000000000)` ends the process. Each call of such a
//! function is held against what it would make before it makes it.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use arrow::compute::kernels::cast::cast;
use arrow::compute::kernels::concat_elements::concat_elements_utf8;
use arrow::compute::kernels::length::length;
use arrow::datatypes::{
    DataType, FieldRef, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable as _, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The longest value that a function makes, in bytes: what holds 8,192 of them is a batch of a gigabyte at most.
const VALUE_BYTES_MAX: usize = 128 << 10;

/// The most that one call makes for the rows of a batch, in bytes.
const CALL_BYTES_MAX: usize = 64 << 20;

/// The bytes of a number, or of an element that is one.
const NUMBER_BYTES: usize = 8;

/// The name by which a session says that its calls are bounded.
pub(crate) const BOUNDS: &str = "bounds";

/// A function as the plans of users call it.
pub(crate) fn bounded(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match Growth::of(function.name()) {
        Some(growth) => Arc::new(ScalarUDF::from(Bounded { inner: function, growth })),
        None => function,
    }
}

/// `a || b` as the plans of users call it.
pub(crate) fn joined() -> Arc<ScalarUDF> {
    let inner = Arc::new(ScalarUDF::from(Joined::new()));
    Arc::new(ScalarUDF::from(Bounded { inner, growth: Growth::Texts }))
}

/// Puts bounds on the calls of a plan.
#[derive(Debug)]
pub(super) struct Bounds;

impl FunctionRewrite for Bounds {
    fn name(&self) -> &str {
        BOUNDS
    }

    fn rewrite(
        &self,
        expression: Expr,
        schema: &DFSchema,
        _config: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        match expression {
            Expr::ScalarFunction(call) => {
                let inner: &dyn Any = call.func.inner().as_ref();
                if inner.is::<Bounded>() || Growth::of(call.func.name()).is_none() {
                    return Ok(Transformed::no(Expr::ScalarFunction(call)));
                }
                let call = ScalarFunction::new_udf(bounded(call.func), call.args);
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                let is_text =
                    |side: &Expr| -> Result<bool> { Ok(!side.get_type(schema)?.is_nested()) };
                if !(is_text(&left)? && is_text(&right)?) {
                    let same = BinaryExpr { left, op: Operator::StringConcat, right };
                    return Ok(Transformed::no(Expr::BinaryExpr(same)));
                }
                let call = ScalarFunction::new_udf(joined(), vec![*left, *right]);
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

/// How much a function makes of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument, as often as the second says.
    Times,
    /// As many letters as the second argument says.
    Padded,
    /// The second argument, as often as the first says.
    Elements,
    /// The first argument, with each part that is like the second exchanged for the third.
    Exchanged,
    /// The same, where the second is a pattern and the third may hold groups of it.
    Matched,
    /// All arguments together.
    Texts,
    /// All arguments but the first together, with the first in between.
    Separated,
    /// The elements of the first argument, with the second in between.
    Listed,
    /// The numbers, or times, from the first argument to the second by steps of the third.
    Series,
    /// A time, as the second argument says.
    Written,
    /// Twice the first argument.
    Doubled,
}

impl Growth {
    fn of(function: &str) -> Option<Self> {
        Some(match function {
            "repeat" => Self::Times,
            "lpad" | "rpad" => Self::Padded,
            "array_repeat" => Self::Elements,
            "array_resize" => Self::Padded,
            "replace" => Self::Exchanged,
            "regexp_replace" => Self::Matched,
            "concat" | "overlay" | "make_array" | "array_concat" | "array_append"
            | "array_prepend" | "struct" | "named_struct" | "map" => Self::Texts,
            "concat_ws" => Self::Separated,
            "array_to_string" => Self::Listed,
            "range" | "generate_series" => Self::Series,
            "to_char" => Self::Written,
            "encode" => Self::Doubled,
            _ => return None,
        })
    }
}

/// A function that refuses to make too much.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        self.inner.schema_name(arguments)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&arguments)?;
        self.inner.invoke_with_args(arguments)
    }
}

impl Bounded {
    fn check(&self, arguments: &ScalarFunctionArgs) -> Result<()> {
        let sizes = arguments.args.iter().map(Sizes::of).collect::<Result<Vec<_>>>()?;
        let are_constant = sizes.iter().all(|sizes| sizes.is_constant);
        let rows = if are_constant { 1 } else { arguments.number_rows };
        let mut all: usize = 0;
        for row in 0..rows {
            let made = self.made(&sizes, row);
            all = all.saturating_add(made);
            if made > VALUE_BYTES_MAX {
                return self.refuse(format!("a value of more than {} kB", VALUE_BYTES_MAX >> 10));
            }
        }
        if all > CALL_BYTES_MAX {
            return self.refuse(format!("values of more than {} MB at once", CALL_BYTES_MAX >> 20));
        }
        Ok(())
    }

    fn refuse(&self, what: String) -> Result<()> {
        let name = self.inner.name();
        plan_err!("`{name}` would make {what}")
    }

    /// The bytes that the function makes of a row's arguments, at most.
    fn made(&self, sizes: &[Sizes], row: usize) -> usize {
        let bytes = |place: usize| sizes.get(place).map_or(0, |sizes| sizes.bytes(row));
        let number = |place: usize| sizes.get(place).map_or(0, |sizes| sizes.number(row));
        let together = |from: usize| {
            let of = sizes.iter().skip(from).map(|sizes| sizes.bytes(row));
            of.fold(0, usize::saturating_add)
        };
        match self.growth {
            Growth::Times => bytes(0).saturating_mul(number(1)),
            Growth::Padded => bytes(0).saturating_add(number(1).saturating_mul(NUMBER_BYTES)),
            Growth::Elements => number(1).saturating_mul(bytes(0).max(NUMBER_BYTES)),
            Growth::Exchanged => {
                let parts = bytes(0) / bytes(1).max(1) + 1;
                bytes(0).saturating_add(parts.saturating_mul(bytes(2)))
            }
            Growth::Matched => {
                // Matches do not overlap, so that a group holds no more than the text, however often they match.
                let parts = bytes(0) + 1;
                let groups = bytes(0).saturating_mul(bytes(2) / 2);
                bytes(0).saturating_add(parts.saturating_mul(bytes(2))).saturating_add(groups)
            }
            Growth::Texts => together(0),
            Growth::Separated => together(1).saturating_add(bytes(0).saturating_mul(sizes.len())),
            Growth::Listed => {
                let elements = sizes.first().map_or(0, |sizes| sizes.elements(row));
                bytes(0).saturating_add(elements.saturating_mul(bytes(1) + 3 * NUMBER_BYTES))
            }
            Growth::Series => series(sizes, row).saturating_mul(NUMBER_BYTES),
            Growth::Written => bytes(1).saturating_mul(2 * NUMBER_BYTES),
            Growth::Doubled => bytes(0).saturating_mul(2),
        }
    }
}

/// How many elements a series has, at most.
fn series(sizes: &[Sizes], row: usize) -> usize {
    let number = |place: usize| sizes.get(place).and_then(|sizes| sizes.signed(row));
    // With one argument it begins at 0.
    let (first, last) = match sizes.len() {
        1 => (Some(0), number(0)),
        _ => (number(0), number(1)),
    };
    let step = number(2).map_or(1, i64::unsigned_abs).max(1);
    match (first, last) {
        (Some(first), Some(last)) => {
            usize::try_from(first.abs_diff(last) / step).map_or(usize::MAX, |many| many + 1)
        }
        // A series from or to nothing is nothing.
        _ => 0,
    }
}

/// What is known of an argument's values.
struct Sizes {
    /// A constant has one row for all.
    is_constant: bool,
    kind: Kind,
}

enum Kind {
    /// The bytes of each.
    Texts(Int64Array),
    /// The numbers themselves.
    Numbers(Int64Array),
    /// How many elements each has, and the bytes of one on the average.
    Lists { elements: Int64Array, element_bytes: usize },
    /// The bytes of one on the average.
    Other { bytes: usize },
}

impl Sizes {
    fn of(argument: &ColumnarValue) -> Result<Self> {
        let (array, is_constant) = match argument {
            ColumnarValue::Array(array) => (Arc::clone(array), false),
            ColumnarValue::Scalar(value) => (value.to_array()?, true),
        };
        Ok(Self { is_constant, kind: Kind::of(&array)? })
    }

    fn row(&self, row: usize) -> usize {
        if self.is_constant { 0 } else { row }
    }

    fn bytes(&self, row: usize) -> usize {
        match &self.kind {
            Kind::Texts(lengths) => size(lengths, self.row(row)),
            Kind::Numbers(_) => NUMBER_BYTES,
            Kind::Lists { elements, element_bytes } => {
                size(elements, self.row(row)).saturating_mul(*element_bytes)
            }
            Kind::Other { bytes } => *bytes,
        }
    }

    fn elements(&self, row: usize) -> usize {
        match &self.kind {
            Kind::Lists { elements, .. } => size(elements, self.row(row)),
            _ => 1,
        }
    }

    fn signed(&self, row: usize) -> Option<i64> {
        let row = self.row(row);
        match &self.kind {
            Kind::Numbers(numbers) if numbers.is_valid(row) => Some(numbers.value(row)),
            _ => None,
        }
    }

    fn number(&self, row: usize) -> usize {
        let number = self.signed(row).unwrap_or_default();
        usize::try_from(number).unwrap_or_default()
    }
}

/// A size in a row; nothing has none.
fn size(sizes: &Int64Array, row: usize) -> usize {
    if sizes.is_null(row) { 0 } else { usize::try_from(sizes.value(row)).unwrap_or_default() }
}

impl Kind {
    fn of(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            data_type if is_text(data_type) => Self::Texts(numbers(&length(array)?)?),
            DataType::Dictionary(_, values) if values.is_string() => {
                let texts = cast(array, values)?;
                return Self::of(&texts);
            }
            DataType::List(_) | DataType::LargeList(_) => {
                let elements = numbers(&length(array)?)?;
                let all: i64 = elements.iter().flatten().sum();
                let bytes = bytes_of(array)?;
                let element_bytes = bytes / usize::try_from(all).unwrap_or_default().max(1) + 1;
                Self::Lists { elements, element_bytes: element_bytes.max(NUMBER_BYTES) }
            }
            data_type if data_type.is_integer() => Self::Numbers(numbers(array)?),
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) => {
                // In nanoseconds, as steps are; what lies outside of their range is nothing.
                let times = cast(array, &DataType::Timestamp(TimeUnit::Nanosecond, None))?;
                Self::Numbers(numbers(&times)?)
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                let steps = array.as_primitive::<IntervalMonthDayNanoType>();
                Self::Numbers(steps.unary(|step| {
                    const DAY: i64 = 24 * 60 * 60 * 1_000_000_000;
                    let days = i64::from(step.months) * 28 + i64::from(step.days);
                    days.saturating_mul(DAY).saturating_add(step.nanoseconds)
                }))
            }
            DataType::Null => Self::Other { bytes: 0 },
            _ => Self::Other { bytes: bytes_of(array)? / array.len().max(1) + 1 },
        })
    }
}

/// The bytes of the values themselves: an array may be a window on a larger one, and its lists on more elements than
/// are theirs.
fn bytes_of(array: &ArrayRef) -> Result<usize> {
    let elements = |values: &ArrayRef, first: usize, last: usize| {
        Ok(bytes_of(&values.slice(first, last - first))? + array.len() * NUMBER_BYTES)
    };
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            elements(list.values(), offsets[0] as usize, offsets[list.len()] as usize)
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let offsets = list.value_offsets();
            elements(list.values(), offsets[0] as usize, offsets[list.len()] as usize)
        }
        DataType::Struct(_) => array.as_struct().columns().iter().map(bytes_of).sum(),
        data_type if is_text(data_type) => {
            let lengths = numbers(&length(array)?)?;
            Ok((0..lengths.len()).map(|row| size(&lengths, row)).sum())
        }
        DataType::Dictionary(_, values) if values.is_string() => bytes_of(&cast(array, values)?),
        _ => Ok(array.to_data().get_slice_memory_size()?),
    }
}

fn is_text(data_type: &DataType) -> bool {
    data_type.is_string()
        || matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn numbers(array: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

/// `a || b` of texts: nothing when one of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
}

impl Joined {
    fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        "||"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Utf8; arguments.len()])
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let are_constant =
            arguments.args.iter().all(|side| matches!(side, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [left, right] = arrays.as_slice() else { return internal_err!("`||` has two sides") };
        let joined = concat_elements_utf8(left.as_string::<i32>(), right.as_string::<i32>())?;
        if are_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(joined)))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::FunctionRegistry as _;
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn ask(sql: &str) -> Result<String> {
        let context = SessionContext::new();
        context.state_ref().write().register_function_rewrite(Arc::new(Bounds))?;
        let batches = context.sql(sql).await?.collect().await?;
        let options = arrow::util::display::FormatOptions::default().with_null("null");
        let column = batches[0].column(0);
        let formatter = arrow::util::display::ArrayFormatter::try_new(column, &options)?;
        Ok(formatter.value(0).to_string())
    }

    #[tokio::test]
    async fn what_would_make_too_much_is_refused_before_it_does() {
        for sql in [
            "select repeat('x', 1000000000)",
            "select repeat(cast(value as varchar), 200000) from generate_series(1, 10)",
            "select repeat(cast(value as varchar), 100000) from generate_series(1, 8000)",
            "select lpad('x', 2000000000)",
            "select rpad('x', 2147483647, 'ab')",
            "select array_repeat(1, 2000000000)",
            "select array_repeat(repeat('x', 1000), 2000)",
            "select array_resize([1], 2000000000, 0)",
            "select range(0, 3000000000)",
            "select generate_series(0, 3000000000)",
            "select generate_series(3000000000, 0, -1)",
            "select range(date '1970-01-01', date '2200-01-01', interval '1 minute')",
            "select generate_series(timestamp '1970-01-01', timestamp '2200-01-01', interval '1 second')",
            "select replace(repeat('a', 10000), 'a', repeat('b', 1000))",
            "select replace(repeat('a', 10000), '', repeat('b', 1000))",
            "select regexp_replace(repeat('a', 10000), 'a', repeat('b', 1000), 'g')",
            "select concat(repeat('a', 100000), repeat('b', 100000))",
            "select concat_ws(repeat('x', 100000), '1', '2', '3')",
            "select repeat('a', 100000) || repeat('b', 100000)",
            "select array_to_string(range(0, 10000), repeat('x', 10000))",
            "select to_char(now(), repeat('%c', 100000))",
            "select encode(repeat('x', 100000), 'hex')",
            "select make_array(repeat('a', 100000), repeat('b', 100000))",
            "select [repeat('a', 100000), repeat('b', 100000)]",
        ] {
            let refused = ask(sql).await.map(|made| made.len());
            let told = refused.expect_err(sql).to_string();
            assert!(told.contains("` would make "), "{sql}: {told}");
        }
    }

    /// As on a thread of the door: subqueries in subqueries take a deep stack to plan.
    #[test]
    fn doubling_again_and_again_comes_to_its_end() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_stack_size(256 << 20)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(runtime.spawn(check_doubling())).unwrap();
    }

    async fn check_doubling() {
        for pair in
            ["v || v", "concat(v, v)", "[v, v]", "array_concat([v], [v])", "concat_ws('', v, v)"]
        {
            let mut sql = "select 'a' as v0 from generate_series(1, 2)".to_owned();
            for level in 0..20 {
                // Each under a name of its own: of two projections that read alike, the engine leaves one out.
                let pair = pair.replace('v', &format!("v{level}"));
                sql = format!("select {pair} as v{} from ({sql})", level + 1);
            }
            let told = ask(&sql).await.expect_err(pair).to_string();
            assert!(told.contains("` would make "), "{pair}: {told}");
        }
    }

    #[test]
    fn a_window_on_a_large_array_is_as_small_as_what_it_shows() {
        let texts = arrow::array::StringViewArray::from_iter_values(
            (0..100_000).map(|number| format!("officer with the number {number:06}")),
        );
        let item = Arc::new(arrow::datatypes::Field::new("item", DataType::Utf8View, true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([1; 100_000]);
        let lists: ArrayRef =
            Arc::new(arrow::array::ListArray::new(item, offsets, Arc::new(texts), None));
        let whole = Sizes::of(&ColumnarValue::Array(Arc::clone(&lists))).unwrap();
        for window in [lists.slice(99_999, 1), lists.slice(7, 2)] {
            let of_window = Sizes::of(&ColumnarValue::Array(window)).unwrap();
            assert!((30..100).contains(&of_window.bytes(0)), "{} bytes", of_window.bytes(0));
            assert_eq!(of_window.elements(0), 1);
        }
        assert!((30..100).contains(&whole.bytes(50_000)));
    }

    #[tokio::test]
    async fn what_people_ask_is_answered_as_ever() {
        for (sql, expected) in [
            ("select '执' || '法' || 1", "执法1"),
            ("select 'a' || null", "null"),
            ("select cast(value as varchar) || '-' from generate_series(1, 3)", "1-"),
            ("select value || ' x' from (values (1.5)) t(value)", "1.5 x"),
            ("select [1] || [2]", "[1, 2]"),
            ("select concat('a', null, 1)", "a1"),
            ("select lpad('7', 3, '0')", "007"),
            ("select repeat('ab', 3)", "ababab"),
            ("select repeat('ab', -3)", ""),
            ("select array_repeat('x', 3)", "[x, x, x]"),
            ("select array_length(range(0, 10000))", "10000"),
            (
                "select array_length(range(date '2024-01-01', date '2026-01-01', interval '1 day'))",
                "731",
            ),
            ("select replace('执法', '法', '政')", "执政"),
            ("select regexp_replace('a1b2', '([a-z])([0-9])', '\\2\\1', 'g')", "1a2b"),
            ("select array_to_string([1, 2], '+')", "1+2"),
            ("select to_char(date '2024-03-05', '%Y-%m')", "2024-03"),
            ("select concat_ws('-', 'a', 'b')", "a-b"),
            ("select encode('a', 'hex')", "61"),
            ("select v || 'b' from (values ('a')) t(v) group by v || 'b' order by v || 'b'", "ab"),
            (
                "select count(*) from (values ('a')) t(v) where v || 'b' = 'ab' having max(v || 'c') = 'ac'",
                "1",
            ),
        ] {
            assert_eq!(ask(sql).await.unwrap(), expected, "{sql}");
        }
    }
}
