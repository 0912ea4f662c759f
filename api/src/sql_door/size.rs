//! Whether a statement is small enough to be planned: planning cannot be interrupted, and takes more than as much longer as
//! a statement is larger.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, plan_err};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Visit as _, Visitor};

/// Tables that a statement may name. Each mention of a common table expression is a copy of it, and copies of copies are
/// soon millions; a question of a person has some tens.
const TABLES_MAX: u64 = 200;

/// Expressions with their parts, copies included; a list of values has one for each.
const EXPRESSIONS_MAX: u64 = 100_000;

/// How deep expressions may stand in each other: `1 + 1 + 1` is three deep.
const DEPTH_MAX: usize = 300;

/// Refuses a statement that is too large.
pub(super) fn check(statement: &Parsed) -> Result<(), DataFusionError> {
    let statement = match statement {
        Parsed::Statement(statement) => statement,
        Parsed::Explain(explain) => return check(&explain.statement),
        // What is no query is refused later.
        _ => return Ok(()),
    };
    let mut measured = Measure { totals: vec![Total::default()], ..Measure::default() };
    let _: ControlFlow<()> = statement.visit(&mut measured);
    let total = measured.totals.first().copied().unwrap_or_default();
    if measured.deepest > DEPTH_MAX {
        return plan_err!(
            "expressions stand more than {DEPTH_MAX} deep in each other; write `x in (…)` for a chain of `or`"
        );
    }
    if total.tables > TABLES_MAX {
        return plan_err!(
            "the statement names more than {TABLES_MAX} tables, those of a common table expression as often as it is named"
        );
    }
    if total.expressions > EXPRESSIONS_MAX {
        return plan_err!("the statement has more than {EXPRESSIONS_MAX} expressions");
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, Default)]
struct Total {
    tables: u64,
    expressions: u64,
}

impl Total {
    fn add(&mut self, other: Self) {
        self.tables = self.tables.saturating_add(other.tables);
        self.expressions = self.expressions.saturating_add(other.expressions);
    }
}

/// What has been counted so far.
#[derive(Debug, Default)]
struct Measure {
    /// Of the statement, and of each query that is being looked at.
    totals: Vec<Total>,
    /// Of the common table expressions; one that comes later hides another of its name.
    known: HashMap<String, Total>,
    /// The common table expressions that are still to come, by where they stand.
    named: HashMap<*const Query, String>,
    depth: usize,
    deepest: usize,
}

impl Measure {
    fn add(&mut self, more: Total) {
        if let Some(total) = self.totals.last_mut() {
            total.add(more);
        }
    }
}

impl Visitor for Measure {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for one in query.with.iter().flat_map(|with| &with.cte_tables) {
            let query: *const Query = &*one.query;
            self.named.insert(query, one.alias.name.value.to_lowercase());
        }
        self.totals.push(Total::default());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let total = self.totals.pop().unwrap_or_default();
        let query: *const Query = query;
        match self.named.remove(&query) {
            // It counts where it is named.
            Some(name) => {
                self.known.insert(name, total);
            }
            None => self.add(total),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let mut more = Total { tables: 1, expressions: 0 };
        let known = match relation.0.as_slice() {
            [name] => name.as_ident().and_then(|name| self.known.get(&name.value.to_lowercase())),
            _ => None,
        };
        if let Some(known) = known {
            more.add(*known);
        }
        self.add(more);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, _expression: &Expr) -> ControlFlow<()> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        self.add(Total { tables: 0, expressions: 1 });
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _expression: &Expr) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn told(sql: &str) -> String {
        let statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
        check(&statement).map_or_else(|error| error.strip_backtrace(), |()| String::new())
    }

    /// Common table expressions each of which names the one before it twice.
    fn doubled(times: usize) -> String {
        let more: Vec<String> = (1..=times)
            .map(|level| format!("a{level} as (select 1 from A{0} x, a{0} y)", level - 1))
            .collect();
        format!("with a0 as (select 1 from t), {} select * from a{times}", more.join(", "))
    }

    #[test]
    fn what_is_named_again_and_again_counts_as_often() {
        assert_eq!(told(&doubled(5)), "");
        let within = [
            doubled(24),
            format!("select * from ({}) q", doubled(24)),
            format!("explain analyze {}", doubled(24)),
            format!("select 1 where exists ({})", doubled(24)),
            format!("with b as ({}) select * from b", doubled(24)),
            format!(
                "{} union all {}",
                doubled(6),
                "select 1 from t union all ".repeat(150) + "select 1"
            ),
        ];
        for sql in within {
            assert!(told(&sql).contains("names more than 200 tables"), "{sql}");
        }
    }

    #[test]
    fn long_chains_are_refused_and_long_lists_are_not() {
        let chain = |times: usize| vec!["x = 1"; times].join(" or ");
        assert_eq!(told(&format!("select * from t where {}", chain(200))), "");
        let refused = told(&format!("select * from t where {}", chain(400)));
        assert!(refused.contains("300 deep"), "{refused}");
        let list = vec!["'enforcement'"; 15_000].join(",");
        assert_eq!(told(&format!("select * from t where x in ({list})")), "");
        assert!(told(&format!("select {}", vec!["1"; 100_001].join(","))).contains("100000"));
    }
}
