//! What stands in a column for those who see no identities.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, StringBuilder, StructArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::exec_err;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use hashbrown::HashMap;
use serde_json::{Map, Value};

use crate::dictionary::{Dictionary, Guard};
use crate::pseudonym::Identities;

type DataResult<T> = datafusion::common::Result<T>;

/// The fields of a reject that are the sender's own words.
const WORDS: [&str; 2] = ["text", "detail"];

/// A function that only the lake's own views call: it is registered nowhere, for whoever could call it could try out
/// whom a pseudonym stands for.
#[derive(Debug)]
pub(crate) struct Veil {
    guard: Guard,
    identities: Identities,
    dictionary: Arc<Dictionary>,
    signature: Signature,
}

impl Veil {
    pub(crate) fn new(guard: Guard, identities: &Identities, dictionary: &Arc<Dictionary>) -> Self {
        Self {
            guard,
            identities: identities.clone(),
            dictionary: Arc::clone(dictionary),
            signature: Signature::new(TypeSignature::Any(1), Volatility::Immutable),
        }
    }

    /// What it makes pseudonyms with.
    pub(crate) fn identities(&self) -> &Identities {
        &self.identities
    }

    /// The column of ids that a pseudonym is made for.
    fn noun(&self) -> &'static str {
        if self.guard == Guard::Party { "party_id" } else { "officer_id" }
    }

    fn pseudonyms(&self, ids: &ArrayRef) -> DataResult<ArrayRef> {
        let texts = cast(ids, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let mut known: HashMap<&str, String> = HashMap::new();
        let mut pseudonyms = StringBuilder::with_capacity(texts.len(), texts.len() * 20);
        for id in texts {
            pseudonyms.append_option(id.map(|id| {
                known.entry(id).or_insert_with(|| self.identities.of(self.noun(), id)).as_str()
            }));
        }
        Ok(Arc::new(pseudonyms.finish()))
    }

    fn in_lists(&self, lists: &ArrayRef) -> DataResult<ArrayRef> {
        let lists = cast(lists, &list_of_texts())?;
        let lists = lists.as_list::<i32>();
        let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
        Ok(Arc::new(ListArray::try_new(
            item,
            lists.offsets().clone(),
            self.pseudonyms(lists.values())?,
            lists.nulls().cloned(),
        )?))
    }

    /// Of a JSON object what the event types list; of anything else nothing.
    fn attributes(&self, texts: &ArrayRef) -> DataResult<ArrayRef> {
        let texts = cast(texts, &DataType::Utf8)?;
        let mut kept = StringBuilder::new();
        for text in texts.as_string::<i32>() {
            kept.append_option(text.and_then(|text| {
                let mut object: Map<String, Value> = serde_json::from_str(text).ok()?;
                object.retain(|name, _| self.dictionary.known_attributes().contains(name));
                Some(Value::Object(object).to_string())
            }));
        }
        Ok(Arc::new(kept.finish()))
    }
}

fn list_of_texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

fn without_words(rejects: &ArrayRef) -> DataResult<ArrayRef> {
    let Some(rejects) = rejects.as_struct_opt() else {
        return exec_err!("rejects are not structs");
    };
    let (fields, mut columns, nulls) = rejects.clone().into_parts();
    for (field, column) in fields.iter().zip(&mut columns) {
        if WORDS.contains(&field.name().as_str()) {
            *column = new_null_array(field.data_type(), column.len());
        }
    }
    Ok(Arc::new(StructArray::try_new(fields, columns, nulls)?))
}

impl PartialEq for Veil {
    fn eq(&self, other: &Self) -> bool {
        self.guard == other.guard
            && self.identities == other.identities
            && Arc::ptr_eq(&self.dictionary, &other.dictionary)
    }
}

impl Eq for Veil {}

impl Hash for Veil {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.guard.hash(state);
    }
}

impl ScalarUDFImpl for Veil {
    fn name(&self) -> &str {
        match self.guard {
            // By its name another process finds the same function.
            Guard::Officer => "officer_pseudonym",
            Guard::Party => "party_pseudonym",
            Guard::Withheld => "withheld",
            Guard::Attributes => "known_attributes",
            Guard::Reject => "without_words",
            Guard::Open => "open",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> DataResult<DataType> {
        let Some(given) = arguments.first() else { return exec_err!("nothing to veil") };
        Ok(match (self.guard, given) {
            (Guard::Officer | Guard::Party, DataType::List(_)) => list_of_texts(),
            (Guard::Officer | Guard::Party | Guard::Attributes, _) => DataType::Utf8,
            (Guard::Withheld | Guard::Reject | Guard::Open, given) => given.clone(),
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DataResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let Some(column) = arrays.first() else { return exec_err!("nothing to veil") };
        let veiled = match (self.guard, column.data_type()) {
            (Guard::Officer | Guard::Party, DataType::List(_)) => self.in_lists(column)?,
            (Guard::Officer | Guard::Party, _) => self.pseudonyms(column)?,
            (Guard::Attributes, _) => self.attributes(column)?,
            (Guard::Withheld, data_type) => new_null_array(data_type, column.len()),
            (Guard::Reject, _) => without_words(column)?,
            (Guard::Open, _) => Arc::clone(column),
        };
        Ok(ColumnarValue::Array(veiled))
    }
}
