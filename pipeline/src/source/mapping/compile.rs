//! Checks a mapping and numbers the columns that it names.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::read::{Condition, Conversion, Number, Part, Pseudonym, Text};
use super::rule::{Demand, Rule};
use super::spec::{
    AttributesSpec, EventSpec, Except, List, ListSpec, Others, RuleSpec, Separators, TextSpec,
    TextTable, WhenSpec,
};
use super::{Attributes, Template, fold};

/// What is wrong with a mapping, and what to do.
pub(super) type Fault = (String, String);

fn fault<T>(problem: impl Into<String>, remedy: &str) -> Result<T, Fault> {
    Err((problem.into(), remedy.to_owned()))
}

/// The columns of a mapping while it is read.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    pub(super) columns: Vec<String>,
    /// The columns of `[columns]`, which stand first, and whether a key has used them.
    used: Vec<bool>,
    lists: BTreeMap<String, List>,
    pub(super) makes_pseudonyms: bool,
}

/// Where the columns of a file go that has them under other names.
#[derive(Debug, Clone, Default)]
pub(super) struct Aliases {
    /// The place of each name as [`fold`] writes it.
    pub(super) lookup: HashMap<String, usize>,
    /// Columns with the places of their other names, in the order in which they are asked.
    pub(super) others: Vec<(usize, Vec<usize>)>,
}

impl Compiler {
    pub(super) fn new(
        columns: &BTreeMap<String, Vec<String>>,
        lists: BTreeMap<String, List>,
    ) -> Self {
        Self {
            columns: columns.keys().cloned().collect(),
            used: vec![false; columns.len()],
            lists,
            makes_pseudonyms: false,
        }
    }

    pub(super) fn column(&mut self, name: &str) -> usize {
        if let Some(position) = self.columns.iter().position(|column| column == name) {
            if let Some(used) = self.used.get_mut(position) {
                *used = true;
            }
            return position;
        }
        self.columns.push(name.to_owned());
        self.columns.len() - 1
    }

    /// Gives every other name a place of its own behind the columns.
    pub(super) fn aliases(
        &mut self,
        named: &BTreeMap<String, Vec<String>>,
    ) -> Result<Aliases, Fault> {
        let unused = self.used.iter().position(|used| !used);
        if let Some(column) = unused.and_then(|position| self.columns.get(position)) {
            return fault(
                format!("[columns] has `{column}`, which no other key uses"),
                "remove it or use it",
            );
        }
        let mut aliases = Aliases::default();
        if named.is_empty() {
            return Ok(aliases);
        }
        for (place, column) in self.columns.iter().enumerate() {
            if aliases.lookup.insert(fold(column), place).is_some() {
                return twice(column);
            }
        }
        for (column, names) in named.values().enumerate() {
            let mut places = Vec::new();
            for name in names {
                let folded = fold(name);
                match aliases.lookup.get(&folded) {
                    Some(place) if *place == column || places.contains(place) => continue,
                    Some(_) => return twice(name),
                    None => {}
                }
                self.columns.push(name.clone());
                places.push(self.columns.len() - 1);
                aliases.lookup.insert(folded, self.columns.len() - 1);
            }
            aliases.others.push((column, places));
        }
        Ok(aliases)
    }

    fn list(&self, key: &str, spec: ListSpec) -> Result<List, Fault> {
        match spec {
            ListSpec::Own(list) => Ok(list),
            ListSpec::Named(name) => match self.lists.get(&name) {
                Some(list) => Ok(list.clone()),
                None => fault(
                    format!("key `{key}` names the list `{name}`, which [lists] does not have"),
                    "add the list, or write it out here",
                ),
            },
        }
    }

    fn codes(&self, key: &str, spec: ListSpec) -> Result<HashSet<String>, Fault> {
        Ok(match self.list(key, spec)? {
            List::Codes(codes) => codes.into_iter().collect(),
            List::Values(values) => values.into_keys().collect(),
        })
    }

    fn values(&self, key: &str, spec: Option<ListSpec>) -> Result<HashMap<String, String>, Fault> {
        match spec.map(|spec| self.list(key, spec)).transpose()? {
            None => Ok(HashMap::new()),
            Some(List::Values(values)) => Ok(values),
            Some(List::Codes(codes)) if codes.is_empty() => Ok(HashMap::new()),
            Some(List::Codes(_)) => fault(
                format!("key `{key}` has `values` without what they stand for"),
                "write values = { \"code\" = \"text\" }",
            ),
        }
    }

    pub(super) fn text(&mut self, key: &str, spec: TextSpec) -> Result<Text, Fault> {
        match spec {
            TextSpec::Column(column) => Ok(Text::Column(self.column(&column))),
            TextSpec::Table(table) => self.table(key, *table),
            TextSpec::First(specs) if specs.is_empty() => {
                fault(format!("key `{key}` is an empty list"), "name at least one column")
            }
            TextSpec::First(specs) => specs
                .into_iter()
                .map(|spec| self.text(key, spec))
                .collect::<Result<_, _>>()
                .map(Text::First),
        }
    }

    fn table(&mut self, key: &str, mut table: TextTable) -> Result<Text, Fault> {
        let source = match (table.column.take(), table.value.take(), table.template.take()) {
            (None, Some(value), None) => return Ok(Text::Constant(value)),
            (Some(column), None, None) => Text::Column(self.column(&column)),
            (None, None, Some(template)) => self.template(key, &template).map(Text::Template)?,
            _ => {
                return fault(
                    format!("key `{key}` has none or several of `column`, `value` and `template`"),
                    "keep exactly one of them",
                );
            }
        };
        let conversion = self.conversion(key, source, table)?;
        self.makes_pseudonyms |= conversion.pseudonym.is_some();
        Ok(if conversion.changes_nothing() {
            conversion.source
        } else {
            Text::Converted(Box::new(conversion))
        })
    }

    fn conversion(&self, key: &str, source: Text, table: TextTable) -> Result<Conversion, Fault> {
        let numbers = [
            table.amount.map(Number::Amount),
            table.date.then_some(Number::Day),
            table.epoch_seconds.then_some(Number::EpochSeconds),
        ];
        if numbers.iter().flatten().count() > 1 {
            return fault(
                format!("key `{key}` has several of `amount`, `date` and `epoch_seconds`"),
                "keep one of them",
            );
        }
        let number = numbers.into_iter().flatten().next();
        let separators = separators(key, table.separator)?;
        if number.is_some() && !separators.is_empty() {
            return fault(
                format!("key `{key}` has a `separator` and is one number or day"),
                "remove one of the two",
            );
        }
        if table.except.is_some() && table.pseudonym.is_none() {
            return fault(
                format!("key `{key}` has `except` without `pseudonym`"),
                "add `pseudonym`",
            );
        }
        let keeps_uscc = table.except == Some(Except::Uscc);
        Ok(Conversion {
            source,
            document_no: table.document_no,
            first: table.first,
            separators,
            values: self.values(key, table.values)?,
            drops_others: table.others == Some(Others::Drop),
            default: table.default,
            filled: table.filled,
            pseudonym: table.pseudonym.map(|prefix| Pseudonym { prefix, keeps_uscc }),
            number,
        })
    }

    pub(super) fn optional(
        &mut self,
        key: &str,
        spec: Option<TextSpec>,
    ) -> Result<Option<Text>, Fault> {
        spec.map(|spec| self.text(key, spec)).transpose()
    }

    fn template(&mut self, key: &str, template: &str) -> Result<Vec<Part>, Fault> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((literal, after)) = rest.split_once('{') {
            let Some((column, after)) = after.split_once('}') else {
                return fault(
                    format!("key `{key}` has a template with an unclosed `{{`"),
                    "write columns as {column}",
                );
            };
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(Part::Column(self.column(column)));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(parts)
    }

    fn when(&mut self, key: &str, spec: Option<WhenSpec>) -> Result<Vec<Condition>, Fault> {
        Ok(match spec {
            None => Vec::new(),
            Some(WhenSpec::Filled(column)) => {
                vec![Condition { column: self.column(&column), is: None, is_not: None }]
            }
            Some(WhenSpec::Table(table)) => {
                let codes =
                    |list: Option<ListSpec>| list.map(|list| self.codes(key, list)).transpose();
                let (is, is_not) = (codes(table.is)?, codes(table.is_not)?);
                vec![Condition { column: self.column(&table.column), is, is_not }]
            }
            Some(WhenSpec::All(specs)) => {
                let mut conditions = Vec::new();
                for spec in specs {
                    conditions.extend(self.when(key, Some(spec))?);
                }
                conditions
            }
        })
    }

    pub(super) fn event(&mut self, spec: EventSpec, in_batches: bool) -> Result<Template, Fault> {
        check_event(&spec, in_batches)?;
        let attributes = match spec.attributes {
            None => Attributes::None,
            Some(AttributesSpec::Object(column)) => Attributes::Object(self.column(&column)),
            Some(AttributesSpec::Named(named)) => Attributes::Named(
                named
                    .into_iter()
                    .map(|(name, spec)| Ok((name.clone(), self.text(&name, spec)?)))
                    .collect::<Result<_, Fault>>()?,
            ),
        };
        Ok(Template {
            when: self.when("when", spec.when)?,
            once: spec.once,
            event_id: self.optional("event_id", spec.event_id)?,
            revision: self.optional("revision", spec.revision)?,
            operation: self.optional("operation", spec.operation)?,
            event_type: self.text("event_type", spec.event_type)?,
            occurred_at: self.text("occurred_at", spec.occurred_at)?,
            received_at: self.optional("received_at", spec.received_at)?,
            org_id: self.text("org_id", spec.org_id)?,
            officer_ids: self.optional("officer_ids", spec.officer_ids)?,
            object_id: self.optional("object_id", spec.object_id)?,
            party_id: self.optional("party_id", spec.party_id)?,
            item_code: self.optional("item_code", spec.item_code)?,
            channel: self.optional("channel", spec.channel)?,
            attributes,
        })
    }

    pub(super) fn rule(&mut self, spec: RuleSpec) -> Result<Rule, Fault> {
        let names: Vec<String> = spec.column.into_iter().chain(spec.columns).collect();
        let key = format!("rule of {}", names.join(", "));
        if names.is_empty() {
            return fault("a [[rule]] names no column", "add `column` or `columns`");
        }
        let separators = separators(&key, spec.separator)?;
        let one_of = spec.one_of.map(|list| self.codes(&key, list)).transpose()?;
        let not_before = spec.not_before.map(|column| Demand::NotBefore(self.column(&column)));
        let demands = [
            spec.filled.then_some(Demand::Filled),
            one_of.map(|codes| Demand::OneOf(codes, separators)),
            spec.max_length.map(Demand::MaxLength),
            spec.format.map(Demand::Format),
            not_before,
        ];
        let mut demands = demands.into_iter().flatten();
        let (Some(demand), None) = (demands.next(), demands.next()) else {
            return fault(
                format!(
                    "the {key} has none or several of `filled`, `one_of`, `max_length`, `format` and `not_before`"
                ),
                "keep exactly one of them; write several rules",
            );
        };
        Ok(Rule {
            columns: names.iter().map(|name| self.column(name)).collect(),
            when: self.when(&key, spec.when)?,
            severity: spec.severity,
            demand,
        })
    }
}

fn check_event(spec: &EventSpec, in_batches: bool) -> Result<(), Fault> {
    if spec.once && spec.event_id.is_none() {
        return fault(
            "an event with `once = true` has no key `event_id`",
            "give it an id that is the same in every row of its object",
        );
    }
    if in_batches && spec.event_id.is_none() {
        return fault(
            "the mapping has [batch] and an event without the key `event_id`",
            "give it an id that is the same in every batch",
        );
    }
    if in_batches && (spec.revision.is_some() || spec.operation.is_some()) {
        return fault(
            "the mapping has [batch] and an event with a `revision` or `operation` of its own",
            "remove them: the batch gives both",
        );
    }
    Ok(())
}

fn separators(key: &str, spec: Option<Separators>) -> Result<Vec<String>, Fault> {
    let separators = match spec {
        None => Vec::new(),
        Some(Separators::One(separator)) => vec![separator],
        Some(Separators::Many(separators)) => separators,
    };
    if separators.iter().any(String::is_empty) {
        return fault(format!("key `{key}` has an empty `separator`"), "name a character");
    }
    Ok(separators)
}

fn twice<T>(name: &str) -> Result<T, Fault> {
    fault(
        format!("[columns] has the name `{name}` twice; case, blanks and width do not count"),
        "keep it for one column",
    )
}
