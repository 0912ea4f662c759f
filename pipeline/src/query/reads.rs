//! What a query reads of a state of a lake: which parts of which tables, by the days that it asks about.
//!
//! A question about March gives the same answer in every state that has the same rows where the query looks for those of
//! March. Where it looks is what its plan says to the tables that it scans, with the days of the question left open; a part
//! of a table whose days cannot meet that is not looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, Volatility};
use datafusion::prelude::DataFrame;
use datafusion::scalar::ScalarValue;

use super::REQUEST_TABLES;
use crate::memory::{MemoryTable, Part, new_id};

type DataResult<T> = datafusion::common::Result<T>;

/// The days that a question is about, as numbers of days since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// The first.
    pub(crate) from: i32,
    /// The first after them.
    pub(crate) to: i32,
    /// Today.
    pub(crate) as_of: i32,
}

impl Asked {
    /// For queries that name no such day.
    pub(crate) const NOTHING: Self = Self { from: 0, to: 0, as_of: 0 };
}

/// What tells states apart for one question: two that have it in common answer alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footprint([u8; 32]);

/// Where the rows of a table are.
#[derive(Debug, Clone)]
pub(crate) enum Rows {
    /// In memory.
    Kept(Arc<MemoryTable>),
    /// In the files of a version, which a number of its own stands for.
    Stored(u64),
}

impl Rows {
    /// The table, if it is in memory.
    pub(crate) fn in_memory(&self) -> Option<&MemoryTable> {
        match self {
            Self::Kept(table) => Some(table),
            Self::Stored(_) => None,
        }
    }
}

/// The tables that a query scans, and the days that it looks for in each.
#[derive(Debug)]
pub(crate) struct Reads {
    scans: Vec<Scan>,
    /// Whether the same rows give the same answer: not where the query reads a clock.
    is_steady: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Scan {
    table: String,
    bounds: Vec<Bound>,
}

/// The days of a column that rows must have.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    column: String,
    side: Side,
    day: Day,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    /// This day and those after it.
    From,
    /// Those before it.
    Before,
}

/// A day, as so many days after one that the question names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Day {
    named: Named,
    days: i32,
}

/// A day that a query has a name for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    /// The first day of 1970, from which days are counted.
    First,
    From,
    To,
    AsOf,
}

impl Day {
    fn of(expr: &Expr) -> Option<Self> {
        let named = |named| Some(Self { named, days: 0 });
        match expr {
            Expr::Literal(ScalarValue::Date32(Some(day)), _) => named(Named::First)?.after(*day),
            Expr::Placeholder(placeholder) => match placeholder.id.as_str() {
                "$from" => named(Named::From),
                "$to" => named(Named::To),
                "$as_of" => named(Named::AsOf),
                _ => None,
            },
            Expr::Cast(cast) if *cast.field.data_type() == DataType::Date32 => Self::of(&cast.expr),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => {
                Self::of(left)?.after(days(right)?)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                Self::of(left)?.after(days(right)?.checked_neg()?)
            }
            _ => None,
        }
    }

    fn after(self, days: i32) -> Option<Self> {
        Some(Self { days: self.days.checked_add(days)?, ..self })
    }

    fn on(self, asked: Asked) -> i32 {
        let named = match self.named {
            Named::First => 0,
            Named::From => asked.from,
            Named::To => asked.to,
            Named::AsOf => asked.as_of,
        };
        named.saturating_add(self.days)
    }
}

const NANOSECONDS_OF_DAY: i64 = 24 * 60 * 60 * 1_000_000_000;

/// How many days are added; months have no number of days.
fn days(expr: &Expr) -> Option<i32> {
    let Expr::Literal(value, _) = expr else { return None };
    match value {
        ScalarValue::Int64(Some(days)) => i32::try_from(*days).ok(),
        ScalarValue::Int32(Some(days)) => Some(*days),
        // Which the engine makes of a number beside a day.
        ScalarValue::IntervalMonthDayNano(Some(interval))
            if interval.months == 0 && interval.nanoseconds % NANOSECONDS_OF_DAY == 0 =>
        {
            let more = i32::try_from(interval.nanoseconds / NANOSECONDS_OF_DAY).ok()?;
            interval.days.checked_add(more)
        }
        _ => None,
    }
}

impl Bound {
    /// The bounds that a condition sets; those of a condition that is not understood are missing.
    fn of(condition: &Expr) -> Vec<Self> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return Vec::new() };
        let (column, op, day) = match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), day) => (column, Some(*op), Day::of(day)),
            (day, Expr::Column(column)) => (column, op.swap(), Day::of(day)),
            _ => return Vec::new(),
        };
        let (Some(op), Some(day)) = (op, day) else { return Vec::new() };
        let next = day.after(1);
        let sides = match op {
            Operator::GtEq => vec![(Side::From, Some(day))],
            Operator::Gt => vec![(Side::From, next)],
            Operator::Lt => vec![(Side::Before, Some(day))],
            Operator::LtEq => vec![(Side::Before, next)],
            Operator::Eq => vec![(Side::From, Some(day)), (Side::Before, next)],
            _ => Vec::new(),
        };
        let of_column = |(side, day)| Some(Self { column: column.name.clone(), side, day: day? });
        sides.into_iter().filter_map(of_column).collect()
    }

    fn may_meet(&self, part: &Part, asked: Asked) -> bool {
        let day = self.day.on(asked);
        let days = match self.side {
            Side::From => day..i32::MAX,
            Side::Before => i32::MIN..day,
        };
        part.may_have(&self.column, days)
    }
}

impl Reads {
    /// What a query reads of which nothing is known: no two states answer it alike.
    pub(crate) const UNKNOWN: Self = Self { scans: Vec::new(), is_steady: false };

    /// What a query reads, whose parameters `$from`, `$to` and `$as_of` may be [open].
    pub(crate) fn of(frame: DataFrame) -> DataResult<Self> {
        // The optimised plan has the time of the clock as if it were written there.
        if !is_steady(frame.logical_plan())? {
            return Ok(Self::UNKNOWN);
        }
        Self::of_plan(&frame.into_optimized_plan()?)
    }

    fn of_plan(plan: &LogicalPlan) -> DataResult<Self> {
        let mut scans = Vec::new();
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let conditions = scan.filters.iter().flat_map(split_conjunction);
                let mut bounds: Vec<Bound> = conditions.flat_map(Bound::of).collect();
                bounds.sort();
                scans.push(Scan { table: scan.table_name.table().to_owned(), bounds });
            }
            Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
        })?;
        scans.sort();
        scans.dedup();
        Ok(Self { scans, is_steady: true })
    }

    /// Whether what lands on other days leaves the answer alone: the query says of each table that landings change which days
    /// it is about, and reads no table whose rows are not in memory.
    pub(crate) fn go_by_days(&self, tables: &BTreeMap<String, Rows>) -> bool {
        let goes_by_days = |scan: &Scan| match tables.get(&scan.table) {
            Some(Rows::Kept(rows)) => rows.files().is_none() || !scan.bounds.is_empty(),
            Some(Rows::Stored(_)) => false,
            None => true,
        };
        self.is_steady && self.scans.iter().all(goes_by_days)
    }

    /// What is read of `tables`, a state's by name.
    pub(crate) fn footprint(&self, tables: &BTreeMap<String, Rows>, asked: Asked) -> Footprint {
        let mut hasher = blake3::Hasher::new();
        if !self.is_steady {
            hasher.update(&new_id().to_le_bytes());
        }
        for Scan { table, bounds } in &self.scans {
            hasher.update(table.as_bytes());
            let mut read: Vec<u64> = match tables.get(table) {
                Some(Rows::Kept(rows)) => rows
                    .parts()
                    .iter()
                    .filter(|part| bounds.iter().all(|bound| bound.may_meet(part, asked)))
                    .map(|part| part.id())
                    .collect(),
                Some(Rows::Stored(version)) => vec![*version],
                None if is_own(table) => Vec::new(),
                // Nobody knows when it changes.
                None => vec![new_id()],
            };
            read.sort_unstable();
            hasher.update(&read.len().to_le_bytes());
            for part in read {
                hasher.update(&part.to_le_bytes());
            }
        }
        Footprint(*hasher.finalize().as_bytes())
    }
}

/// Whether it is a table of the question itself, which is the same for the same question.
fn is_own(table: &str) -> bool {
    REQUEST_TABLES.contains(&table) || table == "choices"
}

/// Whether a query calls only functions that give the same for the same.
fn is_steady(plan: &LogicalPlan) -> DataResult<bool> {
    let mut steady = true;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::ScalarFunction(call) = part {
                    steady &= call.func.signature().volatility == Volatility::Immutable;
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
    })?;
    Ok(steady)
}

/// A query with values for those of its parameters that have one. The others are days that are left open, which the engine has
/// to know that they are.
pub(crate) fn open(
    frame: DataFrame,
    values: &BTreeMap<String, ScalarValue>,
) -> DataResult<DataFrame> {
    let (state, plan) = frame.into_parts();
    let filled = |expression: Expr| {
        let Expr::Placeholder(mut placeholder) = expression else {
            return Ok(Transformed::no(expression));
        };
        if let Some(value) = values.get(placeholder.id.trim_start_matches('$')) {
            return Ok(Transformed::yes(Expr::Literal(value.clone(), None)));
        }
        let field = Field::new(placeholder.id.clone(), DataType::Date32, true);
        placeholder.field = Some(Arc::new(field));
        Ok(Transformed::yes(Expr::Placeholder(placeholder)))
    };
    let plan = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expression| {
            let name = names.save(&expression);
            let filled = expression.transform_up(filled)?;
            // A column keeps the name by which others know it.
            Ok(if filled.transformed { filled.update_data(|it| name.restore(it)) } else { filled })
        })?;
        node.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(DataFrame::new(state, plan.data))
}
