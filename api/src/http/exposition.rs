//! `/metrics`: the district's numbers, then the process's own.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use prometheus::TextEncoder;

use crate::clock::Clock;
use crate::cluster::{Member, Standing};
use crate::exposition::{Family, Kind, Series, render};
use crate::following;
use crate::http::problem::Problem;
use crate::server::Server;
use crate::sources::Facts;

/// The district's numbers, then the process's own, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "prometheus",
    tag = "health",
    responses(
        (status = 200, description = "Text in the exposition format 0.0.4.", body = String, content_type = "text/plain"),
        (status = 500, description = "The server failed; its log says why, by `request_id`."),
    )
)]
pub(super) async fn metrics(State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    let measured = server.measured();
    let mut text = measured.text.clone();
    text.push_str(&server.watched());
    text.push_str(&render(&number_families(&server)));
    text.push_str(&render(&own_families(&server)));
    text.push_str(&render(&size_families(&server)));
    text.push_str(&render(&inbox_families(&server)));
    text.push_str(&render(&following_families(&server)));
    text.push_str(&render(&cluster_families(&server)));
    text.push_str(&render(&source_families(&server)));
    text.push_str(&render(&maintenance_families(&server)));
    text.push_str(&render(&audit_families(&server)));
    text.push_str(&server.telemetry().text().map_err(|error| Problem::internal(&error))?);
    let process = TextEncoder::new()
        .encode_to_string(&prometheus::gather())
        .map_err(|error| Problem::internal(&error))?;
    text.push_str(&process);
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, text).into_response())
}

/// How a server that only reads gets on.
fn following_families(server: &Server) -> Vec<Family> {
    let Some(followed) = server.followed().map(following::Record::told) else {
        return Vec::new();
    };
    let published_at = followed.published_at.map(|instant| instant.timestamp() as f64);
    vec![
        gauge(
            "lawpulse_published_timestamp_seconds",
            "When the process that writes the lake last looked that there is nothing newer than what this server shows.",
            published_at.into_iter().collect(),
        ),
        gauge(
            "lawpulse_following_failing",
            "1 while what is published cannot be read; the log says why.",
            vec![f64::from(u8::from(followed.failure.is_some()))],
        ),
    ]
}

/// Which workers answer.
fn cluster_families(server: &Server) -> Vec<Family> {
    let Some(cluster) = server.cluster() else { return Vec::new() };
    let series = |member: Member| {
        let labels = vec![("worker".to_owned(), member.url.to_string())];
        let answers = member.standing == Standing::Answers;
        Series { labels, value: f64::from(u8::from(answers)) }
    };
    vec![Family {
        name: "lawpulse_cluster_worker_answers".to_owned(),
        help: "1 while queries are spread over a worker, 0 while it does not answer or is of another version.".to_owned(),
        kind: Kind::Gauge,
        series: cluster.members().into_iter().map(series).collect(),
    }]
}

/// What waits to land.
fn inbox_families(server: &Server) -> Vec<Family> {
    let backlog = server.inbox().backlog(Clock::Machine.now());
    vec![
        gauge(
            "lawpulse_inbox_bodies",
            "Pushed bodies that have not landed yet.",
            vec![backlog.bodies as f64],
        ),
        gauge(
            "lawpulse_inbox_bytes",
            "Bytes of pushed bodies that have not landed yet.",
            vec![backlog.bytes as f64],
        ),
        gauge(
            "lawpulse_inbox_oldest_seconds",
            "How long the oldest pushed body has been waiting to land; 0 when none waits.",
            vec![backlog.oldest.as_secs_f64()],
        ),
    ]
}

/// How the sources do that bring lines in by themselves.
fn source_families(server: &Server) -> Vec<Family> {
    let facts: Vec<_> =
        server.sources().iter().map(|source| (source.name().to_owned(), source.facts())).collect();
    let family = |name: &str, help: &str, kind: Kind, value: fn(&Facts) -> Option<f64>| Family {
        name: name.to_owned(),
        help: help.to_owned(),
        kind,
        series: facts
            .iter()
            .filter_map(|(source, facts)| {
                let labels = vec![("source".to_owned(), source.clone())];
                Some(Series { labels, value: value(facts)? })
            })
            .collect(),
    };
    vec![
        family(
            "lawpulse_source_files_waiting",
            "Files of a folder that have not landed yet.",
            Kind::Gauge,
            |facts| Some(facts.waiting as f64),
        ),
        family(
            "lawpulse_source_oldest_seconds",
            "How long the oldest file that has not landed has been in its folder; 0 when none waits.",
            Kind::Gauge,
            |facts| Some(facts.oldest.as_secs_f64()),
        ),
        family(
            "lawpulse_source_landed_timestamp_seconds",
            "When something of a source last came in; absent before the first since the start.",
            Kind::Gauge,
            |facts| facts.landed_at.map(seconds_of),
        ),
        family(
            "lawpulse_source_looked_timestamp_seconds",
            "When a source was last looked at; absent before the first time.",
            Kind::Gauge,
            |facts| facts.looked_at.map(seconds_of),
        ),
        family(
            "lawpulse_source_failing",
            "1 while a source cannot be reached; the log says why.",
            Kind::Gauge,
            |facts| Some(f64::from(u8::from(facts.error.is_some()))),
        ),
        family(
            "lawpulse_source_failed_files_total",
            "Files that cannot be read and were set aside, with a note that says why.",
            Kind::Counter,
            |facts| Some(facts.failed as f64),
        ),
    ]
}

/// What has come of maintenance since the server started.
fn maintenance_families(server: &Server) -> Vec<Family> {
    let told = server.maintained().told();
    let seconds = told.succeeded_at.map(|at| at.timestamp_micros() as f64 / 1e6);
    let counter = |name, help, value: u64| Family {
        kind: Kind::Counter,
        ..gauge(name, help, vec![value as f64])
    };
    vec![
        gauge(
            "lawpulse_maintenance_timestamp_seconds",
            "When the last round of maintenance ended in which nothing failed; absent before the first.",
            seconds.into_iter().collect(),
        ),
        gauge(
            "lawpulse_maintenance_failing",
            "1 when a table could not be maintained in the last round; the log says why.",
            vec![f64::from(u8::from(told.failure.is_some()))],
        ),
        counter(
            "lawpulse_maintenance_failures_total",
            "Tables that could not be maintained.",
            told.failures,
        ),
        counter(
            "lawpulse_maintenance_merged_files_total",
            "Data files that became parts of others.",
            told.merged_files,
        ),
        counter(
            "lawpulse_maintenance_removed_files_total",
            "Data files removed from the disk since nobody reads them any more.",
            told.removed_files,
        ),
        counter(
            "lawpulse_maintenance_removed_bytes_total",
            "Bytes of these files.",
            told.removed_bytes,
        ),
        counter(
            "lawpulse_maintenance_packed_files_total",
            "Data files of old months that were packed.",
            told.packed_files,
        ),
        counter(
            "lawpulse_maintenance_moved_months_total",
            "Months that were moved to the archive.",
            told.moved_months,
        ),
    ]
}

fn audit_families(server: &Server) -> Vec<Family> {
    let Some((head, waiting)) = server.audit().state() else { return Vec::new() };
    vec![
        gauge(
            "lawpulse_audit_rows",
            "Rows of the audit log: less than before means that it was cut off.",
            vec![head.sequence as f64],
        ),
        gauge(
            "lawpulse_audit_waiting_rows",
            "Rows of the audit log that are in its journal only.",
            vec![waiting as f64],
        ),
    ]
}

fn gauge(name: &str, help: &str, values: Vec<f64>) -> Family {
    Family {
        name: name.to_owned(),
        help: help.to_owned(),
        kind: Kind::Gauge,
        series: values.into_iter().map(|value| Series { labels: Vec::new(), value }).collect(),
    }
}

fn counter(name: &str, help: &str, count: u64) -> Family {
    Family { kind: Kind::Counter, ..gauge(name, help, vec![count as f64]) }
}

fn seconds_of(instant: DateTime<Utc>) -> f64 {
    instant.timestamp_micros() as f64 / 1e6
}

/// How large the log is, and how much of it is in the archive.
fn size_families(server: &Server) -> Vec<Family> {
    let view = server.view();
    let facts = view.facts();
    let number = |name, help, value: u64| gauge(name, help, vec![value as f64]);
    vec![
        number("lawpulse_lake_files", "Data files of the log.", facts.files),
        number("lawpulse_lake_bytes", "Bytes of the log's data files.", facts.file_bytes),
        number(
            "lawpulse_lake_archived_files",
            "Data files of the log that are packed, of those in lawpulse_lake_files.",
            facts.packed.files,
        ),
        number(
            "lawpulse_lake_archived_bytes",
            "Bytes of the packed data files, of those in lawpulse_lake_bytes.",
            facts.packed.bytes,
        ),
        number(
            "lawpulse_lake_archived_months",
            "Months of which data files are packed.",
            facts.packed.months,
        ),
    ]
}

/// How many numbers of metrics had to be computed, and how many are remembered.
fn number_families(server: &Server) -> [Family; 4] {
    let view = server.view();
    let (computed, found) = view.computed_and_found();
    [
        gauge(
            "lawpulse_remembered_numbers",
            "Numbers that are remembered: answers until something lands, and numbers until the rows that they are made of change.",
            vec![view.remembered() as f64],
        ),
        counter(
            "lawpulse_numbers_computed_total",
            "Numbers of metrics, for a scope and a period, that had to be computed.",
            computed,
        ),
        counter(
            "lawpulse_numbers_found_total",
            "Numbers of metrics that were known of the same rows: from before a landing, or from another question.",
            found,
        ),
        gauge(
            "lawpulse_looking_ahead_seconds",
            "How long it took to compute the months and years that nobody has asked about yet; absent before it was done.",
            server.looked_ahead().iter().map(Duration::as_secs_f64).collect(),
        ),
    ]
}

fn own_families(server: &Server) -> Vec<Family> {
    let view = server.view();
    let facts = view.facts();
    let measured = server.measured();
    let seconds = |instant: Option<DateTime<Utc>>| -> Vec<f64> {
        instant.map(seconds_of).into_iter().collect()
    };
    let rejects = facts.rejects_by_source.iter().map(|(source, count)| Series {
        labels: vec![("source".to_owned(), source.clone())],
        value: *count as f64,
    });
    let failing = measured
        .failing
        .iter()
        .map(|metric| Series { labels: vec![("metric".to_owned(), metric.clone())], value: 1.0 });
    let version = ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    vec![
        gauge(
            "lawpulse_last_landed_timestamp_seconds",
            "When the newest line landed; absent before the first.",
            seconds(facts.last_landed_at),
        ),
        gauge("lawpulse_lake_version", "Version of the log.", vec![view.version() as f64]),
        gauge(
            "lawpulse_measured_timestamp_seconds",
            "When the numbers of units were computed.",
            seconds(measured.at),
        ),
        gauge(
            "lawpulse_measured_units_left_out",
            "Units without series of their own, because they are more than [http] metrics_units.",
            vec![measured.units_left_out as f64],
        ),
        gauge(
            "lawpulse_measuring_seconds",
            "How long computing the numbers of units took.",
            vec![measured.took.as_secs_f64()],
        ),
        gauge(
            "lawpulse_landing_failing",
            "1 while landing or refreshing fails; the log says why.",
            vec![f64::from(u8::from(server.landing_error().is_some()))],
        ),
        Family {
            name: "lawpulse_metric_failing".to_owned(),
            help: "1 for a metric that cannot be computed; the log says why.".to_owned(),
            kind: Kind::Gauge,
            series: failing.collect(),
        },
        Family {
            name: "lawpulse_rejects_total".to_owned(),
            help: "Refused lines that are kept.".to_owned(),
            kind: Kind::Counter,
            series: rejects.collect(),
        },
        Family {
            name: "lawpulse_build_info".to_owned(),
            help: "The running version.".to_owned(),
            kind: Kind::Gauge,
            series: vec![Series { labels: vec![version], value: 1.0 }],
        },
    ]
}
