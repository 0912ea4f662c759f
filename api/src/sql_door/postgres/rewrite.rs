//! What clients write about the catalog and the engine cannot plan, beyond what `datafusion-pg-catalog` rewrites.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, Function, FunctionArguments, SelectItem, SetExpr, Statement, Value, VisitMut,
    VisitorMut, visit_expressions, visit_relations,
};

/// Tables of the catalog in which there is never a row: tables here have neither constraints nor indexes.
const EMPTY: [&str; 2] = ["pg_constraint", "pg_index"];

/// Functions that take their lists apart, which the engine does with lists only.
const TAKING_APART: [&str; 3] = ["unnest", "generate_subscripts", "_pg_expandarray"];

/// A query that takes apart the columns of constraints and indexes, as one that has the same columns and no rows.
pub(super) fn of_nothing(statement: &Statement) -> Option<String> {
    let Statement::Query(query) = statement else { return None };
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let reads_empty = visit_relations(statement, |relation| {
        let table = relation.0.last().map(ToString::to_string).unwrap_or_default();
        if EMPTY.contains(&table.as_str()) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let takes_apart = visit_expressions(statement, |expression| match expression {
        Expr::Function(function) if is_named(function, &TAKING_APART) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    if reads_empty.is_continue() || takes_apart.is_continue() {
        return None;
    }
    let columns: Option<Vec<String>> = select.projection.iter().map(name_of).collect();
    let columns = columns?.into_iter().map(|name| format!("cast(null as text) as {name}"));
    Some(format!("select {} where false", columns.collect::<Vec<_>>().join(", ")))
}

fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.to_string()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.to_string()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            parts.last().map(ToString::to_string)
        }
        _ => None,
    }
}

fn is_named(function: &Function, names: &[&str]) -> bool {
    let name = function.name.0.last().map(ToString::to_string).unwrap_or_default();
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Takes out queries that find nothing; says whether there were any. Comes before other rewrites, which put queries of
/// their own into them.
pub(super) fn lookups(statement: &mut Statement) -> bool {
    let mut lookups = Lookups { found: false };
    _ = statement.visit(&mut lookups);
    lookups.found
}

struct Lookups {
    found: bool,
}

impl VisitorMut for Lookups {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let instead = if is_query_of_nothing(expression) {
            no_text()
        } else if let Some(name) = name_of_function(expression) {
            name
        } else if let Some(condition) = has_function(expression) {
            condition
        } else if asks_whether_composite(expression) {
            Expr::Value(Value::Boolean(false).into())
        } else {
            return ControlFlow::Continue(());
        };
        *expression = instead;
        self.found = true;
        ControlFlow::Continue(())
    }
}

/// Rewrites what other rewrites leave.
pub(super) fn expressions(statement: &mut Statement) {
    _ = statement.visit(&mut Rewriting);
}

struct Rewriting;

impl VisitorMut for Rewriting {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if is_made_of_array_query(expression) {
            *expression = no_text();
        } else if let Expr::Like { escape_char, pattern, .. }
        | Expr::ILike { escape_char, pattern, .. } = expression
            && let Some(escape) = escape_char.take()
        {
            **pattern = with_backslash(pattern, &escape.value);
        }
        ControlFlow::Continue(())
    }
}

/// Whether an expression is a function of `array(select …)`, which the engine does not know. Clients make lists of
/// options, members and grants with it, of which there are none here.
fn is_made_of_array_query(expression: &Expr) -> bool {
    let Expr::Function(function) = expression else { return false };
    let is_array_query = |function: &Function| {
        is_named(function, &["array"]) && matches!(function.args, FunctionArguments::Subquery(_))
    };
    let inside = visit_expressions(function, |inner| match inner {
        Expr::Function(inner) if is_array_query(inner) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    is_array_query(function) || inside.is_break()
}

/// Tables of the catalog that a column may refer to, and none here does: there are no defaults, sequences or collations.
const UNREFERRED: [&str; 5] =
    ["pg_attrdef", "pg_sequence", "pg_collation", "pg_constraint", "pg_index"];

/// What is read along with them.
const COMPANIONS: [&str; 2] = ["pg_namespace", "pg_type"];

/// Whether an expression looks something up where nothing can be found.
fn is_query_of_nothing(expression: &Expr) -> bool {
    let Expr::Subquery(query) = expression else { return false };
    let mut is_unreferred = query.to_string().contains("typcollation");
    let found = visit_relations(query, |relation| {
        let table = relation.0.last().map(ToString::to_string).unwrap_or_default();
        is_unreferred |= UNREFERRED.contains(&table.as_str());
        if UNREFERRED.contains(&table.as_str()) || COMPANIONS.contains(&table.as_str()) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    is_unreferred && found.is_continue()
}

/// The name in `'name'::regproc`: the catalog here has functions by name.
fn name_of_function(expression: &Expr) -> Option<Expr> {
    let Expr::Cast { expr, data_type, .. } = expression else { return None };
    let is_name = matches!(expr.as_ref(), Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
    let data_type = data_type.to_string().to_lowercase();
    (is_name && data_type.ends_with("regproc")).then(|| expr.as_ref().clone())
}

/// `typreceive <> 0` in terms of names, where `-` stands for none.
fn has_function(expression: &Expr) -> Option<Expr> {
    let Expr::BinaryOp { left, op: ast::BinaryOperator::NotEq, right } = expression else {
        return None;
    };
    let column = left.to_string();
    let is_function = ["typreceive", "typsend"].iter().any(|name| column.ends_with(name));
    (is_function && right.to_string() == "0").then(|| Expr::BinaryOp {
        left: left.clone(),
        op: ast::BinaryOperator::NotEq,
        right: Box::new(Expr::Value(Value::SingleQuotedString("-".to_owned()).into())),
    })
}

/// Whether an expression asks if a type is the row of a composite, of which there are none here.
fn asks_whether_composite(expression: &Expr) -> bool {
    let Expr::Subquery(query) = expression else { return false };
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let [SelectItem::UnnamedExpr(asked)] = select.projection.as_slice() else { return false };
    asked.to_string().ends_with("relkind = 'c'")
}

fn no_text() -> Expr {
    cast_to_text(Expr::Value(Value::Null.into()))
}

fn cast_to_text(expression: Expr) -> Expr {
    Expr::Cast {
        kind: ast::CastKind::Cast,
        expr: Box::new(expression),
        data_type: ast::DataType::Text,
        array: false,
        format: None,
    }
}

/// A pattern whose escape character is the one that the engine knows.
fn with_backslash(pattern: &Expr, escape: &Value) -> Expr {
    let Value::SingleQuotedString(escape) = escape else { return pattern.clone() };
    if escape == "\\" {
        return pattern.clone();
    }
    let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
    let arguments = [pattern.clone(), text(escape), text("\\")];
    let arguments =
        arguments.map(|argument| ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument)));
    Expr::Function(Function {
        name: ast::ObjectName::from(vec![ast::Ident::new("replace")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.to_vec(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
