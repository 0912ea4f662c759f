//! Columns in the forms that every client of Arrow reads: texts and bytes whole, dictionaries spelt out.
//!
//! The engine's views of texts are also sent with all that they look at, however few of its rows are.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

/// The schema that is sent for a result's.
pub(super) fn schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The rows that are sent for a result's, under the schema that [`schema`] gives.
pub(super) fn batch(batch: &RecordBatch, plain: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(plain.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(
        Arc::clone(plain),
        columns.collect::<Result<_, _>>()?,
        &options,
    )
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = plain_type(field.data_type());
    Arc::new(Field::clone(field).with_data_type(data_type))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::List(item) | DataType::ListView(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => {
            DataType::LargeList(plain_field(item))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray as _, DictionaryArray, ListArray, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn views_and_dictionaries_are_spelt_out_also_within_lists_and_other_columns_stay() {
        let long = "a text that is too long to stand in its view";
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some(long), None]));
        let item = Arc::new(Field::new("item", DataType::Utf8View, true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([1, 1]);
        let list: ArrayRef = Arc::new(ListArray::new(item, offsets, Arc::clone(&texts), None));
        let words: DictionaryArray<Int32Type> = ["执法", "监督"].into_iter().collect();
        let numbers: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1, 2]));
        let rows = RecordBatch::try_from_iter([
            ("text", texts),
            ("list", list),
            ("word", Arc::new(words) as ArrayRef),
            ("number", numbers),
        ])
        .unwrap();
        let plain = schema(&rows.schema());
        let sent = batch(&rows, &plain).unwrap();
        assert_eq!(sent["text"].as_string::<i32>().value(0), long);
        assert!(sent["text"].is_null(1));
        let first = sent["list"].as_list::<i32>().value(0);
        assert_eq!(first.as_string::<i32>().value(0), long);
        assert_eq!(sent["word"].as_string::<i32>().value(1), "监督");
        assert_eq!(&sent["number"], &rows["number"]);
    }

    #[test]
    fn rows_without_columns_are_still_counted() {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(3));
        let none = Arc::new(Schema::empty());
        let rows = RecordBatch::try_new_with_options(none, vec![], &options).unwrap();
        assert_eq!(batch(&rows, &schema(&rows.schema())).unwrap().num_rows(), 3);
    }
}
