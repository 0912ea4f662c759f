//! Which PostgreSQL type a column has, and in which Arrow type its values are written.

use std::sync::Arc;

use ::pgwire::api::Type;
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit};

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) kind: Type,
    /// The Arrow type that the values are turned into before they are written.
    pub(super) arrow: DataType,
}

impl Shape {
    /// The columns of a schema.
    pub(super) fn of_schema(schema: &Schema) -> Arc<[Self]> {
        let shape = |field: &Arc<Field>| {
            let arrow = written_as(field.data_type());
            Self { name: field.name().clone(), kind: kind_of(&arrow), arrow }
        };
        schema.fields().iter().map(shape).collect()
    }

    /// Columns of text.
    pub(super) fn texts(names: &[&str]) -> Arc<[Self]> {
        let shape = |name: &&str| Self {
            name: (*name).to_owned(),
            kind: Type::TEXT,
            arrow: DataType::Utf8,
        };
        names.iter().map(shape).collect()
    }

    /// Precision and scale, where the type has some.
    pub(super) fn modifier(&self) -> i32 {
        match self.arrow {
            DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)
                if scale >= 0 =>
            {
                ((i32::from(precision) << 16) | i32::from(scale)) + 4
            }
            _ => -1,
        }
    }
}

/// The Arrow type in which values of another are written: one for each PostgreSQL type, and structs, maps and lists of
/// lists for what is written as JSON.
pub(super) fn written_as(kind: &DataType) -> DataType {
    match kind {
        DataType::Boolean => DataType::Boolean,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => DataType::Int16,
        DataType::UInt16 | DataType::Int32 => DataType::Int32,
        DataType::UInt32 | DataType::Int64 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 | DataType::Float32 => DataType::Float32,
        DataType::Float64 => DataType::Float64,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::Decimal256(precision, scale) => DataType::Decimal256(*precision, *scale),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Interval(_) | DataType::Duration(_) => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        DataType::Dictionary(_, values) => written_as(values),
        DataType::RunEndEncoded(_, values) => written_as(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
            if !is_json(item.data_type()) =>
        {
            DataType::List(Arc::new(Field::new_list_field(written_as(item.data_type()), true)))
        }
        nested if is_json(nested) => nested.clone(),
        _ => DataType::Utf8,
    }
}

/// Whether values are written as JSON: PostgreSQL has no type for them that clients could know.
pub(super) fn is_json(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Struct(_)
            | DataType::Map(_, _)
            | DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(_, _)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
    )
}

/// The PostgreSQL type of a type of [`written_as`].
pub(super) fn kind_of(written: &DataType) -> Type {
    match written {
        DataType::List(item) if !is_json(item.data_type()) => array_of(&kind_of(item.data_type())),
        nested if is_json(nested) => Type::JSON,
        DataType::Boolean => Type::BOOL,
        DataType::Int16 => Type::INT2,
        DataType::Int32 => Type::INT4,
        DataType::Int64 => Type::INT8,
        DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => Type::NUMERIC,
        DataType::Binary => Type::BYTEA,
        DataType::Date32 => Type::DATE,
        DataType::Time64(_) => Type::TIME,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Interval(_) => Type::INTERVAL,
        _ => Type::TEXT,
    }
}

fn array_of(kind: &Type) -> Type {
    match *kind {
        Type::BOOL => Type::BOOL_ARRAY,
        Type::INT2 => Type::INT2_ARRAY,
        Type::INT4 => Type::INT4_ARRAY,
        Type::INT8 => Type::INT8_ARRAY,
        Type::FLOAT4 => Type::FLOAT4_ARRAY,
        Type::FLOAT8 => Type::FLOAT8_ARRAY,
        Type::NUMERIC => Type::NUMERIC_ARRAY,
        Type::BYTEA => Type::BYTEA_ARRAY,
        Type::DATE => Type::DATE_ARRAY,
        Type::TIME => Type::TIME_ARRAY,
        Type::TIMESTAMPTZ => Type::TIMESTAMPTZ_ARRAY,
        Type::TIMESTAMP => Type::TIMESTAMP_ARRAY,
        Type::INTERVAL => Type::INTERVAL_ARRAY,
        _ => Type::TEXT_ARRAY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arrow: DataType, expected: Type) {
        assert_eq!(kind_of(&written_as(&arrow)), expected, "{arrow}");
    }

    #[test]
    fn every_arrow_type_has_a_postgresql_type_wide_enough_for_its_values() {
        let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int8), Box::new(values));
        let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
        check(DataType::Null, Type::TEXT);
        check(DataType::UInt8, Type::INT2);
        check(DataType::UInt16, Type::INT4);
        check(DataType::UInt32, Type::INT8);
        check(DataType::UInt64, Type::NUMERIC);
        check(DataType::Utf8View, Type::TEXT);
        check(dictionary(DataType::Utf8), Type::TEXT);
        check(dictionary(DataType::Int64), Type::INT8);
        check(DataType::Decimal256(50, 3), Type::NUMERIC);
        check(DataType::Date64, Type::DATE);
        check(DataType::Timestamp(TimeUnit::Nanosecond, None), Type::TIMESTAMP);
        check(DataType::Timestamp(TimeUnit::Second, Some("UTC".into())), Type::TIMESTAMPTZ);
        check(DataType::Duration(TimeUnit::Second), Type::INTERVAL);
        check(list(DataType::Utf8View), Type::TEXT_ARRAY);
        check(list(dictionary(DataType::UInt32)), Type::INT8_ARRAY);
        check(list(list(DataType::Int64)), Type::JSON);
        check(DataType::Struct(vec![Field::new("a", DataType::Int8, true)].into()), Type::JSON);
    }
}
