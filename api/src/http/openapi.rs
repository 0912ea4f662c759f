//! What the interface promises, as an OpenAPI document: put together from the routes themselves.
//!
//! A handler says beside itself what it takes and gives; the router says who may; what holds for every answer is added
//! here. The metrics and mappings to choose from are those of the server that is asked.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pipeline::metric::Catalogue;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema};

use crate::caller::{Deed, Role};
use crate::http::problem::{Problem, ProblemDetails};
use crate::http::query::{Nothing, Query};
use crate::server::Server;

/// How the security schemes are called.
const SCHEMES: [&str; 2] = ["password", "token"];

/// The methods whose operations a document describes.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

const ABOUT: &str = "lawpulse lands the logs of an administrative-enforcement platform and serves what they say as \
    numbers. Everything is read-only but pushing events. Errors are `application/problem+json` (RFC 9457). A query \
    parameter that is not listed, or is given twice, is refused. `HEAD` is answered where `GET` is.";

/// What operations are about, in the order of the page.
const TAGS: [(&str, &str); 7] = [
    ("metrics", "Numbers: what each means, what it is, how it comes about."),
    ("standing", "Goals, checks, reports."),
    ("sql", "Any question."),
    ("events", "What lands, and what was refused."),
    ("about", "The lake, what can be asked about, and this interface."),
    ("health", "For whatever watches the server."),
    ("pages", "For people."),
];

/// A document that describes nothing yet.
pub(super) fn empty(has_accounts: bool) -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("lawpulse")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license))
        .build();
    let mut components =
        ComponentsBuilder::new().schema(ProblemDetails::name(), ProblemDetails::schema());
    if has_accounts {
        let described = [
            (HttpAuthScheme::Basic, "Name and password of an account."),
            (
                HttpAuthScheme::Bearer,
                "A token of `lawpulse account token`, or of the OpenID Connect provider.",
            ),
        ];
        for (name, (scheme, about)) in SCHEMES.into_iter().zip(described) {
            let scheme = HttpBuilder::new().scheme(scheme).description(Some(about)).build();
            components = components.security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
    let tags =
        TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    OpenApiBuilder::new().info(info).tags(Some(tags)).components(Some(components.build())).build()
}

/// Says of every operation what a role needs to be for it.
pub(super) fn needs(document: &mut OpenApi, deed: Deed) {
    let roles: Vec<&str> =
        Role::ALL.into_iter().filter(|role| role.may(deed)).map(Role::name).collect();
    let roles = roles.join(", ");
    for operation in operations(document) {
        add_sentence(operation, &format!("Needs one of the roles {roles}."));
        add_response(operation, StatusCode::FORBIDDEN, "The caller may not do this.");
    }
}

/// Says of every operation that it is about the whole lake.
pub(super) fn about_whole_lake(document: &mut OpenApi) {
    for operation in operations(document) {
        add_sentence(operation, "Not for accounts that are kept to a scope.");
    }
}

/// Says of every operation that callers have to be known, when there are accounts.
pub(super) fn known_callers(document: &mut OpenApi, has_accounts: bool) {
    for operation in operations(document) {
        // A browser's cross-site request is refused before anything else.
        add_response(operation, StatusCode::FORBIDDEN, "The caller may not do this.");
        if !has_accounts {
            continue;
        }
        let none: [&str; 0] = [];
        let either = SCHEMES.map(|scheme| SecurityRequirement::new(scheme, none));
        operation.security = Some(either.to_vec());
        for (status, about) in [
            (StatusCode::UNAUTHORIZED, "Nobody is known by these credentials, or there are none."),
            (StatusCode::TOO_MANY_REQUESTS, "Too many logins failed; come back later."),
            (StatusCode::SERVICE_UNAVAILABLE, "Passwords cannot be verified now; come back later."),
        ] {
            add_response(operation, status, about);
        }
    }
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
        [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
    })
}

fn add_sentence(operation: &mut Operation, sentence: &str) {
    let description = operation.description.take().unwrap_or_default();
    operation.description = Some(format!("{description}\n\n{sentence}").trim_start().to_owned());
}

/// What an operation says itself of a status holds.
fn add_response(operation: &mut Operation, status: StatusCode, about: &str) {
    let responses = &mut operation.responses.responses;
    responses
        .entry(status.as_str().to_owned())
        .or_insert_with(|| ResponseBuilder::new().description(about).build().into());
}

/// The finished document, but for the names that change while a server runs.
#[derive(Debug, Clone)]
pub(super) struct Contract(Arc<Value>);

impl Contract {
    /// Adds what holds for every answer.
    pub(super) fn of(document: &OpenApi) -> serde_json::Result<Self> {
        let mut document = serde_json::to_value(document)?;
        for_each_operation(&mut document, |path, operation| {
            for parameter in parameters_of(operation) {
                if let Some(schema) = parameter.get_mut("schema") {
                    without_null(schema);
                }
            }
            if operation["operationId"] == "push" {
                operation["requestBody"]["required"] = json!(false);
            }
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            let Some(responses) = responses else { return };
            if path.starts_with("/api/") {
                let bad = json!({ "description": "The request cannot be read, or asks for what there is not." });
                responses.entry("400").or_insert(bad);
                let failed = json!({ "description": "The server failed; its log says why, by `request_id`." });
                responses.entry("500").or_insert(failed);
            }
            for (status, response) in responses {
                complete(status, response);
            }
        });
        Ok(Self(Arc::new(document)))
    }

    /// The document with the names that may be asked for now.
    fn told(&self, catalogue: &Catalogue, sources: &[&str]) -> Value {
        let mut document = Value::clone(&self.0);
        let ids: Vec<&str> = catalogue.iter().map(|metric| metric.id()).collect();
        for_each_operation(&mut document, |_, operation| {
            let mut is_about_metric = false;
            for parameter in parameters_of(operation) {
                match parameter["name"].as_str() {
                    Some("id") => {
                        parameter["schema"]["enum"] = json!(ids);
                        is_about_metric = true;
                    }
                    Some("source") => parameter["schema"]["enum"] = json!(sources),
                    _ => {}
                }
            }
            if is_about_metric && let Some(parameters) = operation["parameters"].as_array_mut() {
                parameters.extend(parameters_of_metrics(catalogue));
            }
        });
        document
    }
}

/// The parameters that one metric or another has.
fn parameters_of_metrics(catalogue: &Catalogue) -> Vec<Value> {
    let mut all: Map<String, Value> = Map::new();
    for metric in catalogue.iter() {
        for (name, parameter) in metric.parameters() {
            let known = all.entry(name).or_insert_with(|| json!({ "values": [], "metrics": [] }));
            let values = known["values"].as_array_mut();
            let new = |known: &Vec<Value>| -> Vec<Value> {
                let values = parameter.values.iter().map(|value| json!(value));
                values.filter(|value| !known.contains(value)).collect()
            };
            if let Some(values) = values {
                let more = new(values);
                values.extend(more);
            }
            if let Some(metrics) = known["metrics"].as_array_mut() {
                metrics.push(json!(metric.id()));
            }
        }
    }
    let told = all.into_iter().map(|(name, known)| {
        let metrics = known["metrics"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let metrics = metrics.map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
        json!({
            "name": name,
            "in": "query",
            "description": format!("A parameter of {metrics}; other metrics refuse it."),
            "required": false,
            "schema": { "type": "string", "enum": known["values"] },
        })
    });
    told.collect()
}

fn parameters_of(operation: &mut Value) -> impl Iterator<Item = &mut Value> {
    operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
}

/// A parameter that is optional is left out, and never null.
fn without_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").filter(|types| types.is_array()) {
        let named = types.as_array_mut().map(|types| {
            types.retain(|name| name != "null");
            types.swap_remove(0)
        });
        *types = named.unwrap_or_default();
    }
    let either = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    let other = either.and_then(|either| either.iter_mut().find(|it| it["type"] != "null"));
    if let Some(other) = other {
        *schema = other.take();
    }
}

fn for_each_operation(document: &mut Value, mut change: impl FnMut(&str, &mut Value)) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        let Some(item) = item.as_object_mut() else { continue };
        for (method, operation) in item {
            if METHODS.contains(&method.as_str()) {
                change(path, operation);
            }
        }
    }
}

/// Adds to a response the headers that every answer has, and to that of an error how errors look.
fn complete(status: &str, response: &mut Value) {
    let text = |about: &str, required: bool| json!({ "description": about, "required": required, "schema": { "type": "string" } });
    let seconds = |required: bool| {
        json!({
            "description": "Seconds after which trying again has a chance.",
            "required": required,
            "schema": { "type": "integer", "minimum": 0 },
        })
    };
    let headers = &mut response["headers"];
    headers["X-Request-Id"] =
        text("The request's id: the client's if it has one, else a new one.", true);
    match status {
        "401" => headers["WWW-Authenticate"] = text("How to log in.", true),
        "429" => headers["Retry-After"] = seconds(true),
        "503" => headers["Retry-After"] = seconds(false),
        _ => {}
    }
    if status.starts_with(['4', '5']) {
        let schema = json!({ "$ref": format!("#/components/schemas/{}", ProblemDetails::name()) });
        response["content"] = json!({ "application/problem+json": { "schema": schema } });
    }
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "openapi",
    tag = "about",
    responses((status = 200, description = "The OpenAPI document.", body = Object))
)]
pub(super) async fn document(
    State(server): State<Arc<Server>>,
    Extension(contract): Extension<Contract>,
    _: Query<Nothing>,
) -> Result<Response, Problem> {
    let definitions = server.definitions();
    let sources = definitions.in_folder("sources", "toml").map(|(name, _)| name);
    let sources: Vec<&str> = sources.collect();
    let told = contract.told(server.catalogue(), &sources).to_string();
    Ok(([(header::CONTENT_TYPE, "application/json")], told).into_response())
}
