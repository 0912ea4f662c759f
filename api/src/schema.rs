//! Schemas of names, for the contract of the HTTP interface: each is made of the enum whose names it lists.

use pipeline::check::Severity;
use pipeline::goal::{self, Measure, Method, Side, StateWindow, Task};
use pipeline::metric::{Direction, Grain, Group, Kind, Level, ScopeKind, Window};
use pipeline::reconcile;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A text that is one of these.
fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
}

/// A grain.
pub fn grain() -> RefOr<Schema> {
    one_of(Grain::ALL.map(Grain::name))
}

/// A grain, as a parameter.
#[derive(Debug)]
pub struct GrainName;

impl PartialSchema for GrainName {
    fn schema() -> RefOr<Schema> {
        grain()
    }
}

impl ToSchema for GrainName {}

/// Grains.
pub fn grains() -> RefOr<Schema> {
    ArrayBuilder::new().items(grain()).into()
}

/// What a metric is about.
pub fn group() -> RefOr<Schema> {
    use Group::{Case, Compliance, Data, Inspection, Reform, Supervision, Usage};
    let all = [Usage, Inspection, Case, Compliance, Supervision, Reform, Data];
    one_of(all.map(Group::name))
}

/// What the query of a metric returns.
pub fn kind() -> RefOr<Schema> {
    one_of([Kind::Ratio, Kind::Count, Kind::Gauge].map(Kind::name))
}

/// Which way is better.
pub fn direction() -> RefOr<Schema> {
    use Direction::{Compliance, Down, Guardrail, Neutral, Up};
    one_of([Up, Down, Neutral, Guardrail, Compliance].map(Direction::name))
}

/// The period of which `/metrics` shows a metric.
pub fn window() -> RefOr<Schema> {
    use Window::{All, None, Now, Trailing28Days, Year};
    one_of([Trailing28Days, All, Now, Year, None].map(Window::name))
}

/// What sort of scope it is.
pub fn scope_kind() -> RefOr<Schema> {
    let trees = Level::ALL.map(ScopeKind::Tree);
    let parts = [ScopeKind::Kind, ScopeKind::Area, ScopeKind::Org];
    one_of(trees.into_iter().chain(parts).map(ScopeKind::name))
}

/// A task of the report.
pub fn task() -> RefOr<Schema> {
    one_of(Task::ALL.map(Task::name))
}

/// How binding a goal is.
pub fn goal_kind() -> RefOr<Schema> {
    use goal::Kind::{Ceiling, Target, Warning};
    one_of([Target, Ceiling, Warning].map(goal::Kind::name))
}

/// The side of a target to be on.
pub fn side() -> RefOr<Schema> {
    one_of([Side::AtLeast, Side::AtMost].map(Side::name))
}

/// What of a metric a goal counts.
pub fn measure() -> RefOr<Schema> {
    let windows = [StateWindow::Trailing28Days, StateWindow::Now].map(Measure::State);
    one_of([Measure::YearToDate].into_iter().chain(windows).map(Measure::name))
}

/// The way to a target.
pub fn path() -> RefOr<Schema> {
    use goal::Path;
    let ways = [Path::Linear, Path::Seasonal, Path::Steps(Vec::new())];
    one_of(ways.each_ref().map(Path::name))
}

/// How a forecast was found.
pub fn method() -> RefOr<Schema> {
    one_of([Method::Seasonal, Method::Linear, Method::Trend].map(Method::name))
}

/// Where a goal stands.
pub fn goal_status() -> RefOr<Schema> {
    one_of(goal::Status::ALL.map(goal::Status::name))
}

/// What became of a check: unknown when it could not run.
pub fn check_status() -> RefOr<Schema> {
    one_of(["passed", "failed", "unknown"])
}

/// How a figure is compared.
pub fn comparison() -> RefOr<Schema> {
    one_of(["equal", "at_least_below"])
}

/// What became of a stated figure.
pub fn figure_status() -> RefOr<Schema> {
    use reconcile::Status::{Explained, Matched, NotComputable, Unreconciled};
    one_of([Matched, Explained, Unreconciled, NotComputable].map(reconcile::Status::name))
}

/// Who has to act on what a check found.
pub fn severity() -> RefOr<Schema> {
    one_of([Severity::Error, Severity::Finding].map(Severity::name))
}
