//! The built-in pages, served from the binary.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use crate::http::problem::Problem;

const PAGE: &str = include_str!("../../../dashboards/web/index.html");
const SCRIPT: &str = include_str!("../../../dashboards/web/app.js");
const STYLE: &str = include_str!("../../../dashboards/web/style.css");
const ICON: &str = include_str!("../../../dashboards/web/icon.svg");

/// Plotly.js as its crate carries it, out of the `<script>` element that the crate puts around it.
static PLOTLY: LazyLock<String> = LazyLock::new(|| {
    let sources = plotly::Plot::offline_js_sources();
    let script = sources.split_once('>').map_or("", |(_, rest)| rest);
    script.split_once("</script>").map_or(script, |(script, _)| script).to_owned()
});

/// The overview page.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "page",
    tag = "pages",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

/// What the pages are made of.
#[utoipa::path(
    get,
    path = "/assets/{file}",
    operation_id = "asset",
    tag = "pages",
    params(("file" = String, Path, description = "A script, a style sheet or a picture.", example = "app.js")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/javascript"),
            (String = "text/css"),
            (String = "image/svg+xml"),
        )),
        (status = 400, description = "The name is not UTF-8."),
        (status = 404, description = "There is no such file."),
    )
)]
pub(super) async fn asset(file: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(file) = file?;
    let (kind, text) = match file.as_str() {
        "app.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "icon.svg" => ("image/svg+xml", ICON),
        "plotly.min.js" => ("text/javascript; charset=utf-8", PLOTLY.as_str()),
        _ => return Err(no_such_asset()),
    };
    Ok(sent(kind, text))
}

/// A file of the binary; browsers may keep it for a while.
pub(super) fn sent(kind: &'static str, text: impl IntoResponse) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")];
    (headers, text).into_response()
}

pub(super) fn no_such_asset() -> Problem {
    Problem::not_found("there is no such asset")
}
