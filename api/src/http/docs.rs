//! The pages that explain the interface, served from the binary.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use axum::{Extension, Json};
use utoipa_swagger_ui::Config;

use crate::caller::{Caller, Role, Visitor};
use crate::dictionary::DataDictionary;
use crate::http::problem::Problem;
use crate::http::query::{Nothing, Query};
use crate::http::web::{no_such_asset, sent};
use crate::server::Server;

const PAGE: &str = include_str!("../../../dashboards/web/docs.html");
const SCRIPT: &str = include_str!("../../../dashboards/web/docs.js");

/// The interface as a page on which calls can be tried.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    tag = "pages",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

/// What the page of the interface is made of.
#[utoipa::path(
    get,
    path = "/docs/assets/{file}",
    operation_id = "docs_asset",
    tag = "pages",
    params(("file" = String, Path, description = "A script or a style sheet.", example = "docs.js")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/javascript"),
            (String = "text/css"),
        )),
        (status = 400, description = "The name is not UTF-8."),
        (status = 404, description = "There is no such file."),
    )
)]
pub(super) async fn asset(file: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(file) = file?;
    match file.as_str() {
        "docs.js" => Ok(sent("text/javascript; charset=utf-8", SCRIPT)),
        "swagger-ui.css" => Ok(sent("text/css; charset=utf-8", bundled(&file)?)),
        "swagger-ui-bundle.js" => Ok(sent("text/javascript; charset=utf-8", bundled(&file)?)),
        _ => Err(no_such_asset()),
    }
}

/// A file of Swagger UI as its crate carries it.
fn bundled(file: &str) -> Result<Cow<'static, [u8]>, Problem> {
    let found = utoipa_swagger_ui::serve(file, Arc::new(Config::from("/api/v1/openapi.json")));
    let found = found.map_err(|error| Problem::internal(&error))?;
    found.map(|file| file.bytes).ok_or_else(no_such_asset)
}

/// What every table and column means that the caller sees.
#[utoipa::path(
    get,
    path = "/api/v1/dictionary",
    operation_id = "dictionary",
    tag = "about",
    responses((status = 200, description = "The data dictionary.", body = DataDictionary))
)]
pub(super) async fn dictionary(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    _: Query<Nothing>,
) -> Result<Json<DataDictionary>, Problem> {
    Ok(Json(seen_by(&server, &visitor.caller).await?))
}

/// The data dictionary as a page.
#[utoipa::path(
    get,
    path = "/docs/dictionary",
    operation_id = "dictionary_page",
    tag = "pages",
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 500, description = "The server failed; its log says why, by `request_id`."),
    )
)]
pub(super) async fn dictionary_page(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Html<String>, Problem> {
    let page = seen_by(&server, &visitor.caller).await?.html(true);
    page.map(Html).map_err(|error| Problem::internal(&error))
}

/// The dictionary of what a caller sees.
async fn seen_by(server: &Server, caller: &Caller) -> Result<DataDictionary, Problem> {
    let (view, sight) = (server.view(), server.door().sight());
    let guarded = sight.guarded(caller, &view).await?;
    let viewer = Caller { role: Role::Viewer, is_anonymous: false, ..caller.clone() };
    let of_viewers = sight.guarded(&viewer, &view).await?;
    Ok(DataDictionary::of(&guarded, &of_viewers))
}
