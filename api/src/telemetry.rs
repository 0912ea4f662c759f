//! What the server counts of its own work, for `/metrics`: requests and queries.
//!
//! Apart from the district's numbers, which [`crate::measure`] gives.

use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

/// Bounds of times in seconds: dashboards answer within the first few, reports within the last.
const SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

/// Counters of one process.
#[derive(Debug, Clone)]
pub struct Telemetry {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    queries: IntCounterVec,
    query_seconds: HistogramVec,
    query_rows: IntCounter,
    queries_running: IntGauge,
    queries_waiting: IntGauge,
    spread: IntCounterVec,
    connections: IntCounterVec,
    connections_now: IntGauge,
}

/// Where a query is on its way through the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its turn.
    Waiting,
    /// It is planned, runs or sends.
    Running,
}

impl Telemetry {
    /// Starts to count. Fails only if two counters have one name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<_> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let times = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<_> {
            let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
            let times = HistogramVec::new(options, labels)?;
            registry.register(Box::new(times.clone()))?;
            Ok(times)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<_> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let query_rows =
            IntCounter::new("lawpulse_sql_rows_total", "Rows that queries have sent.")?;
        registry.register(Box::new(query_rows.clone()))?;
        Ok(Self {
            requests: counters(
                "lawpulse_http_requests_total",
                "Requests by route, method and status.",
                &["route", "method", "status"],
            )?,
            request_seconds: times(
                "lawpulse_http_request_seconds",
                "Time to the head of an answer.",
                &["route"],
            )?,
            queries: counters(
                "lawpulse_sql_queries_total",
                "Queries by how they ended: answered, abandoned by who asked, refused as a wrong statement, for being \
                 one too many or over a limit, or failed.",
                &["outcome"],
            )?,
            query_seconds: times(
                "lawpulse_sql_query_seconds",
                "Time of queries from the door to the last row.",
                &["outcome"],
            )?,
            query_rows,
            queries_running: gauge("lawpulse_sql_running", "Queries that run now.")?,
            queries_waiting: gauge("lawpulse_sql_waiting", "Queries that wait for their turn.")?,
            spread: counters(
                "lawpulse_cluster_queries_total",
                "Queries of a server with workers, by how they were run: spread over them; here, for reading little, for \
                 reading what only this process has, or for want of a worker; or here after the workers had failed.",
                &["way"],
            )?,
            connections: counters(
                "lawpulse_postgres_connections_total",
                "PostgreSQL connections by whether they became sessions.",
                &["outcome"],
            )?,
            connections_now: gauge(
                "lawpulse_postgres_connections",
                "PostgreSQL sessions that are open now.",
            )?,
            registry,
        })
    }

    /// Counts a request that has been answered.
    pub fn count_request(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        self.request_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// Counts a query that has ended.
    pub fn count_query(&self, outcome: &str, took: Duration) {
        self.queries.with_label_values(&[outcome]).inc();
        self.query_seconds.with_label_values(&[outcome]).observe(took.as_secs_f64());
    }

    /// Counts rows that a query sends.
    pub fn count_rows(&self, rows: usize) {
        self.query_rows.inc_by(rows as u64);
    }

    /// Counts a query as being at a stage, for as long as the guard is kept.
    pub fn at(&self, stage: Stage) -> Counted {
        Counted::by(match stage {
            Stage::Waiting => &self.queries_waiting,
            Stage::Running => &self.queries_running,
        })
    }

    /// Counts a query by how it was run, on a server that has workers.
    pub fn count_spread(&self, way: &str) {
        self.spread.with_label_values(&[way]).inc();
    }

    /// Counts a PostgreSQL connection as accepted or refused.
    pub fn count_connection(&self, outcome: &str) {
        self.connections.with_label_values(&[outcome]).inc();
    }

    /// Counts a PostgreSQL session as open, for as long as the guard is kept.
    pub fn connected(&self) -> Counted {
        Counted::by(&self.connections_now)
    }

    /// Everything in the exposition format.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// What a gauge counts while this is kept.
#[derive(Debug)]
pub struct Counted(IntGauge);

impl Counted {
    fn by(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_at_a_stage_as_long_as_its_guard_lives() {
        let telemetry = Telemetry::new().unwrap();
        let waiting = telemetry.at(Stage::Waiting);
        assert!(telemetry.text().unwrap().contains("lawpulse_sql_waiting 1"));
        drop(waiting);
        let running = telemetry.at(Stage::Running);
        let text = telemetry.text().unwrap();
        assert!(text.contains("lawpulse_sql_waiting 0") && text.contains("lawpulse_sql_running 1"));
        drop(running);
        assert!(telemetry.text().unwrap().contains("lawpulse_sql_running 0"));
    }
}
