//! The built-in pages, served from the binary.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use include_dir::{Dir, include_dir};

use crate::http::problem::Problem;

/// The pages: a shell, and for each page the module that fills it.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../dashboards/web");

/// The page at `/`, and those at `/NAME`.
const OVERVIEW: &str = "overview";
const PAGES: [&str; 8] =
    ["units", "unit", "clocks", "goals", "report", "explore", "sql", "rejects"];

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
    operation_id = "overview",
    tag = "pages",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(super) async fn overview() -> Result<Html<String>, Problem> {
    shell(OVERVIEW)
}

/// Any other page.
#[utoipa::path(
    get,
    path = "/{page}",
    operation_id = "page",
    tag = "pages",
    params(("page" = String, Path, description = "The page.", example = "units")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 400, description = "The name is not UTF-8."),
        (status = 404, description = "There is no such page."),
    )
)]
pub(super) async fn page(
    page: Result<Path<String>, PathRejection>,
) -> Result<Html<String>, Problem> {
    let Path(page) = page?;
    if !PAGES.contains(&page.as_str()) {
        return Err(Problem::not_found("there is no such page; see /docs"));
    }
    shell(&page)
}

/// The shell with the module that fills it.
fn shell(page: &str) -> Result<Html<String>, Problem> {
    let shell = file("index.html").ok_or_else(no_such_asset)?;
    Ok(Html(shell.replace("{{page}}", page)))
}

fn file(name: &str) -> Option<&'static str> {
    FILES.get_file(name)?.contents_utf8()
}

/// What the pages are made of.
#[utoipa::path(
    get,
    path = "/assets/{file}",
    operation_id = "asset",
    tag = "pages",
    params(("file" = String, Path, description = "A script, a style sheet or a picture.", example = "page.js")),
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
    let (kind, text) = match file.rsplit_once('.') {
        Some(("plotly.min", "js")) => ("text/javascript; charset=utf-8", Some(PLOTLY.as_str())),
        Some((_, "js")) => ("text/javascript; charset=utf-8", self::file(&file)),
        Some((_, "css")) => ("text/css; charset=utf-8", self::file(&file)),
        Some((_, "svg")) => ("image/svg+xml", self::file(&file)),
        _ => return Err(no_such_asset()),
    };
    Ok(sent(kind, text.ok_or_else(no_such_asset)?))
}

/// A file of the binary; browsers may keep it for a while.
pub(super) fn sent(kind: &'static str, text: impl IntoResponse) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")];
    (headers, text).into_response()
}

pub(super) fn no_such_asset() -> Problem {
    Problem::not_found("there is no such asset")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_module_and_every_module_finds_what_it_needs() {
        for page in PAGES.iter().chain([&OVERVIEW]) {
            assert!(file(&format!("{page}.js")).is_some(), "{page}");
        }
        for script in
            FILES.files().filter(|file| file.path().extension().is_some_and(|end| end == "js"))
        {
            let text = script.contents_utf8().unwrap();
            let imports =
                text.split(" from \"./").skip(1).map(|rest| rest.split('"').next().unwrap());
            for import in imports {
                assert!(file(import).is_some(), "{} imports {import}", script.path().display());
            }
        }
    }
}
