//! What there is, as the commands of Flight SQL list it: catalogs, schemas, tables, types and what the server can.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::metadata::{SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo,
    SqlSupportedCaseSensitivity, SqlSupportedTransaction, XdbcDataType,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use pipeline::query::{CATALOG, Guarded};
use tonic::Status;

use super::{FlightStream, plain, prepared, status};
use crate::sql_door::{TABLE_KINDS, table_kind};

/// The version of the Arrow format that is spoken.
const ARROW_FORMAT: &str = "1.5";

type List = Result<RecordBatch, Status>;

/// A list on its way out.
pub(super) fn sent(list: RecordBatch) -> FlightStream {
    let schema = list.schema();
    let encoder = FlightDataEncoderBuilder::new().with_schema(schema);
    encoder.build(stream::iter([Ok(list)])).map_err(Status::from).boxed()
}

pub(super) fn catalogs(query: CommandGetCatalogs) -> List {
    let mut list = query.into_builder();
    list.append(CATALOG);
    list.build().map_err(status::failed)
}

pub(super) fn schemas(query: CommandGetDbSchemas, guarded: &Guarded) -> List {
    let mut list = query.into_builder();
    guarded.schemas().into_iter().for_each(|schema| list.append(CATALOG, schema));
    list.build().map_err(status::failed)
}

pub(super) fn tables(query: CommandGetTables, guarded: &Guarded) -> List {
    let mut list = query.into_builder();
    for (schema, tables) in guarded.tables() {
        for (name, table) in tables {
            let columns = plain::schema(&table.schema());
            list.append(CATALOG, schema, name, table_kind(table), &columns)
                .map_err(status::failed)?;
        }
    }
    list.build().map_err(status::failed)
}

pub(super) fn table_types(query: CommandGetTableTypes) -> List {
    let mut list = query.into_builder();
    TABLE_KINDS.into_iter().for_each(|kind| list.append(kind));
    list.build().map_err(status::failed)
}

pub(super) fn sql_info(query: CommandGetSqlInfo) -> List {
    let mut list = SqlInfoDataBuilder::new();
    list.append(SqlInfo::FlightSqlServerName, "lawpulse");
    list.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    list.append(SqlInfo::FlightSqlServerArrowVersion, ARROW_FORMAT);
    list.append(SqlInfo::FlightSqlServerReadOnly, true);
    list.append(SqlInfo::FlightSqlServerSql, true);
    for not in [
        SqlInfo::FlightSqlServerSubstrait,
        SqlInfo::FlightSqlServerCancel,
        SqlInfo::FlightSqlServerBulkIngestion,
        SqlInfo::SqlDdlCatalog,
        SqlInfo::SqlDdlSchema,
        SqlInfo::SqlDdlTable,
    ] {
        list.append(not, false);
    }
    let none = SqlSupportedTransaction::None as i32;
    list.append(SqlInfo::FlightSqlServerTransaction, none);
    let kept_for = i32::try_from(prepared::KEPT_FOR.as_millis()).unwrap_or(i32::MAX);
    list.append(SqlInfo::FlightSqlServerStatementTimeout, kept_for);
    let case = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32;
    list.append(SqlInfo::SqlIdentifierCase, case);
    list.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    let known = list.build().map_err(status::failed)?;
    query.into_builder(&known).build().map_err(status::failed)
}

pub(super) fn types(query: CommandGetXdbcTypeInfo) -> List {
    use XdbcDataType::{
        XdbcBigint, XdbcBit, XdbcDate, XdbcDecimal, XdbcDouble, XdbcFloat, XdbcInteger,
        XdbcSmallint, XdbcTimestamp, XdbcVarbinary, XdbcVarchar,
    };
    let mut list = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, size, quote) in [
        ("BOOLEAN", XdbcBit, 1, ""),
        ("SMALLINT", XdbcSmallint, 16, ""),
        ("INTEGER", XdbcInteger, 32, ""),
        ("BIGINT", XdbcBigint, 64, ""),
        ("REAL", XdbcFloat, 24, ""),
        ("DOUBLE", XdbcDouble, 53, ""),
        ("DECIMAL", XdbcDecimal, 38, ""),
        ("VARCHAR", XdbcVarchar, i32::MAX, "'"),
        ("DATE", XdbcDate, 10, "'"),
        ("TIMESTAMP", XdbcTimestamp, 32, "'"),
        ("BYTEA", XdbcVarbinary, i32::MAX, ""),
    ] {
        let quote = Some(quote.to_owned()).filter(|quote| !quote.is_empty());
        let is_number =
            !matches!(data_type, XdbcBit | XdbcVarchar | XdbcDate | XdbcTimestamp | XdbcVarbinary);
        list.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type,
            sql_data_type: data_type,
            column_size: Some(size),
            literal_prefix: quote.clone(),
            literal_suffix: quote,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: data_type == XdbcVarchar,
            searchable: Searchable::Full,
            unsigned_attribute: is_number.then_some(false),
            auto_increment: is_number.then_some(false),
            num_prec_radix: is_number.then_some(if data_type == XdbcDecimal { 10 } else { 2 }),
            ..XdbcTypeInfo::default()
        });
    }
    let known = list.build().map_err(status::failed)?;
    query.into_builder(&known).build().map_err(status::failed)
}

/// No table declares a key: an answer of the right form and without rows.
pub(super) fn primary_keys() -> List {
    let text = |name, is_nullable| Field::new(name, DataType::Utf8, is_nullable);
    Ok(RecordBatch::new_empty(Arc::new(Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        text("key_name", true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))))
}

pub(super) fn foreign_keys() -> List {
    let mut fields = Vec::new();
    for side in ["pk", "fk"] {
        for (name, is_nullable) in [
            ("catalog_name", true),
            ("db_schema_name", true),
            ("table_name", false),
            ("column_name", false),
        ] {
            fields.push(Field::new(format!("{side}_{name}"), DataType::Utf8, is_nullable));
        }
    }
    fields.extend([
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]);
    Ok(RecordBatch::new_empty(Arc::new(Schema::new(fields))))
}
