use arrow::array::{
    DictionaryArray, DurationSecondArray, FixedSizeListArray, LargeStringArray, ListBuilder,
    NullArray, StringBuilder, StringViewArray, StructArray, Time32SecondArray,
    TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{Int32Type, Int64Type};

use super::*;
use crate::pgwire::types::{kind_of, written_as};

fn column(array: ArrayRef) -> Column {
    let arrow = written_as(array.data_type());
    let shape = Shape { name: "c".to_owned(), kind: kind_of(&arrow), arrow };
    Column::new(&array, &shape).unwrap()
}

fn texts_in(array: ArrayRef, zone: Tz) -> Vec<String> {
    let rows = array.len();
    let column = column(array);
    (0..rows)
        .map(|row| {
            if column.is_null(row) {
                return "∅".to_owned();
            }
            let mut out = BytesMut::new();
            column.write_text(row, zone, &mut out).unwrap();
            String::from_utf8(out.to_vec()).unwrap()
        })
        .collect()
}

fn texts(array: impl Array + 'static) -> Vec<String> {
    texts_in(Arc::new(array), Tz::Asia__Shanghai)
}

fn binary(array: impl Array + 'static) -> Vec<u8> {
    let mut out = BytesMut::new();
    column(Arc::new(array)).write(0, Format::Binary, Tz::UTC, &mut out).unwrap();
    out[4..].to_vec()
}

fn microseconds(text: &str) -> i64 {
    text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros()
}

#[test]
fn numbers_are_written_as_postgresql_writes_them() {
    let floats = [
        1.0,
        -0.5,
        0.1,
        100_000_000_000_000.0,
        1e15,
        1.5e300,
        1e-4,
        1e-5,
        123.456,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        1e2,
    ];
    let expected = [
        "1",
        "-0.5",
        "0.1",
        "100000000000000",
        "1e+15",
        "1.5e+300",
        "0.0001",
        "1e-05",
        "123.456",
        "NaN",
        "Infinity",
        "-Infinity",
        "0",
        "-0",
        "100",
    ];
    assert_eq!(texts(Float64Array::from(floats.to_vec())), expected);
    assert_eq!(texts(Float32Array::from(vec![0.1, 1e6, 99999.0])), ["0.1", "1e+06", "99999"]);
    assert_eq!(texts(UInt64Array::from(vec![u64::MAX])), ["18446744073709551615"]);
    let decimal = Decimal128Array::from(vec![-1250, 5, 0]).with_precision_and_scale(10, 3).unwrap();
    assert_eq!(texts(decimal), ["-1.250", "0.005", "0.000"]);
    assert_eq!(texts(BooleanArray::from(vec![Some(true), Some(false), None])), ["t", "f", "∅"]);
}

#[test]
fn times_are_written_in_the_session_s_zone() {
    let instants = [
        microseconds("2024-03-05T01:12:33Z"),
        microseconds("2024-03-05T01:12:33.500Z"),
        microseconds("1890-01-01T00:00:00Z"),
    ];
    let zoned =
        || Arc::new(TimestampMicrosecondArray::from(instants.to_vec()).with_timezone("UTC"));
    assert_eq!(
        texts_in(zoned(), Tz::Asia__Shanghai),
        ["2024-03-05 09:12:33+08", "2024-03-05 09:12:33.5+08", "1890-01-01 08:05:43+08:05:43"]
    );
    assert_eq!(texts_in(zoned(), Tz::UTC)[0], "2024-03-05 01:12:33+00");
    assert_eq!(texts_in(zoned(), Tz::Asia__Kolkata)[0], "2024-03-05 06:42:33+05:30");
    assert_eq!(texts_in(zoned(), Tz::America__New_York)[0], "2024-03-04 20:12:33-05");
    let seconds =
        TimestampSecondArray::from(vec![microseconds("2024-03-05T01:12:33Z") / 1_000_000]);
    assert_eq!(texts(seconds), ["2024-03-05 01:12:33"]);
    let days = Date32Array::from(vec![0, 19_787, -719_529, i32::MAX / 100]);
    assert_eq!(texts(days)[..3], ["1970-01-01", "2024-03-05", "0002-12-31 BC"]);
    assert_eq!(texts(Time32SecondArray::from(vec![33_153])), ["09:12:33"]);
    let interval = |months, days, nanoseconds| IntervalMonthDayNano { months, days, nanoseconds };
    let intervals = vec![
        interval(14, 3, 14_706_789_000_000),
        interval(0, 0, 0),
        interval(0, -1, -1_000_000_000),
        interval(12, 1, 0),
    ];
    assert_eq!(
        texts(IntervalMonthDayNanoArray::from(intervals)),
        ["1 year 2 mons 3 days 04:05:06.789", "00:00:00", "-1 days -00:00:01", "1 year 1 day"]
    );
    assert_eq!(texts(DurationSecondArray::from(vec![90_061])), ["25:01:01"]);
}

#[test]
fn a_date_that_no_calendar_has_is_an_error_and_no_panic() {
    let column = column(Arc::new(Date32Array::from(vec![i32::MAX])));
    let written = column.write_text(0, Tz::UTC, &mut BytesMut::new());
    assert_eq!(written.unwrap_err().code, code::DATETIME_OUT_OF_RANGE);
}

#[test]
fn texts_are_texts_however_arrow_keeps_them() {
    let dictionary: DictionaryArray<Int32Type> =
        vec![Some("a"), None, Some("a")].into_iter().collect();
    assert_eq!(texts(dictionary), ["a", "∅", "a"]);
    let long = "渝北区综合行政执法局";
    assert_eq!(texts(StringViewArray::from(vec![Some(long), None])), [long, "∅"]);
    assert_eq!(texts(LargeStringArray::from(vec![long])), [long]);
    assert_eq!(texts(NullArray::new(1)), ["∅"]);
    assert_eq!(texts(BinaryArray::from(vec![b"\x00\xffa".as_slice()])), ["\\x00ff61"]);
    assert_eq!(binary(StringViewArray::from(vec![long])), long.as_bytes());
}

#[test]
fn lists_are_arrays_and_what_is_nested_deeper_is_json() {
    let mut builder = ListBuilder::new(StringBuilder::new());
    builder.append_value([Some("a"), None, Some(""), Some("b c"), Some("NULL"), Some("q\"\\")]);
    builder.append_value::<_, &str>([]);
    builder.append_null();
    let lists = builder.finish();
    assert_eq!(texts(lists.clone()), [r#"{a,NULL,"","b c","NULL","q\"\\"}"#, "{}", "∅"]);
    // A slice begins in the middle of the values.
    assert_eq!(texts(lists.slice(1, 1)), ["{}"]);
    let fixed = FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(
        [Some([Some(1), Some(2)]), Some([Some(3), None])],
        2,
    );
    assert_eq!(texts(fixed), ["{1,2}", "{3,NULL}"]);
    let outer = Arc::new(Field::new_list_field(lists.data_type().clone(), true));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([3]);
    let nested = ListArray::new(outer, offsets, Arc::new(lists), None);
    assert_eq!(texts(nested), [r#"[["a",null,"","b c","NULL","q\"\\"],[],null]"#]);
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let record =
        StructArray::from(vec![(Arc::new(Field::new("数", DataType::Int32, true)), number)]);
    assert_eq!(texts(record), [r#"{"数":1}"#]);
}

#[test]
fn binary_is_what_postgresql_sends() {
    assert_eq!(binary(Int64Array::from(vec![-2])), (-2_i64).to_be_bytes());
    assert_eq!(binary(Date32Array::from(vec![10_958])), 1_i32.to_be_bytes());
    let zoned = TimestampMicrosecondArray::from(vec![microseconds("2000-01-01T00:00:01Z")])
        .with_timezone("Asia/Shanghai");
    assert_eq!(binary(zoned), 1_000_000_i64.to_be_bytes());
    let numeric = |value: i128, scale: i8| {
        let array = Decimal128Array::from(vec![value]).with_precision_and_scale(38, scale).unwrap();
        binary(array).chunks(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect::<Vec<_>>()
    };
    // Groups, weight, sign, digits after the point, and the groups.
    assert_eq!(numeric(1_234_567, 2), [3, 1, 0, 2, 1, 2345, 6700]);
    assert_eq!(numeric(-5, 3), [1, 0xffff, 0x4000, 3, 50]);
    assert_eq!(numeric(5, 6), [1, 0xfffe, 0, 6, 500]);
    assert_eq!(numeric(0, 2), [0, 0, 0, 2]);
    assert_eq!(numeric(10_000, 0), [1, 1, 0, 0, 1]);
    let mut builder = ListBuilder::new(arrow::array::Int32Builder::new());
    builder.append_value([Some(7), None]);
    let expected: Vec<u8> =
        [1, 1, 23, 2, 1, 4, 7, -1].iter().flat_map(|word: &i32| word.to_be_bytes()).collect();
    assert_eq!(binary(builder.finish()), expected);
}
