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

pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

pub(super) async fn asset(file: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(file) = file?;
    let (kind, text) = match file.as_str() {
        "app.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "icon.svg" => ("image/svg+xml", ICON),
        "plotly.min.js" => ("text/javascript; charset=utf-8", PLOTLY.as_str()),
        _ => return Err(Problem::not_found("there is no such asset")),
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")];
    Ok((headers, text).into_response())
}
