//! The built-in pages, served from the binary.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use include_dir::{Dir, include_dir};

use crate::http::problem::Problem;

/// The pages: a shell, and for each page the module that fills it.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../dashboards/web");

/// The page at `/`, and those at `/NAME`.
const OVERVIEW: &str = "overview";
const PAGES: [&str; 8] =
    ["units", "unit", "clocks", "goals", "report", "explore", "sql", "rejects"];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Plotly.js as its crate carries it, out of the `<script>` element that the crate puts around it.
static PLOTLY: LazyLock<String> = LazyLock::new(|| {
    let sources = plotly::Plot::offline_js_sources();
    let script = sources.split_once('>').map_or("", |(_, rest)| rest);
    script.split_once("</script>").map_or(script, |(script, _)| script).to_owned()
});

/// Plotly.js packed, once: it is the largest thing by far that is sent. `None` where it cannot be packed.
static PLOTLY_PACKED: LazyLock<Option<Bytes>> = LazyLock::new(|| {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    let written = packed.write_all(PLOTLY.as_bytes()).and_then(|()| packed.finish());
    written.map(Bytes::from).ok()
});

/// What tells this Plotly.js from that of another version: browsers keep it for good under an address that has it.
static PLOTLY_VERSION: LazyLock<String> =
    LazyLock::new(|| blake3::hash(PLOTLY.as_bytes()).to_hex()[..12].to_owned());

/// Makes ready what takes time at a first visit.
pub(crate) fn prepare() {
    LazyLock::force(&PLOTLY_PACKED);
    LazyLock::force(&PLOTLY_VERSION);
}

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
    Ok(Html(shell.replace("{{page}}", page).replace("{{plotly}}", &PLOTLY_VERSION)))
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
pub(super) async fn asset(
    file: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(file) = file?;
    if file == "plotly.min.js" {
        return Ok(plotly(&headers));
    }
    let (kind, text) = match file.rsplit_once('.') {
        Some((_, "js")) => (SCRIPT, self::file(&file)),
        Some((_, "css")) => ("text/css; charset=utf-8", self::file(&file)),
        Some((_, "svg")) => ("image/svg+xml", self::file(&file)),
        _ => return Err(no_such_asset()),
    };
    Ok(sent(kind, text.ok_or_else(no_such_asset)?))
}

/// Plotly.js, packed for whoever takes that.
fn plotly(headers: &HeaderMap) -> Response {
    let taken = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
    let takes_gzip = taken.flat_map(|it| it.split(',')).any(|it| it.trim() == "gzip");
    let mut response = match PLOTLY_PACKED.as_ref().filter(|_| takes_gzip) {
        Some(packed) => {
            let packed_as = [(header::CONTENT_ENCODING, "gzip")];
            (packed_as, sent(SCRIPT, packed.clone())).into_response()
        }
        None => sent(SCRIPT, PLOTLY.as_str()),
    };
    let kept = HeaderValue::from_static("max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, kept);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
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
    use std::io::Read as _;

    use super::*;

    #[tokio::test]
    async fn plotly_is_packed_for_whoever_takes_that_and_kept_under_an_address_of_its_version() {
        let sent = async |takes: Option<&'static str>| {
            let takes = takes.map(|it| (header::ACCEPT_ENCODING, HeaderValue::from_static(it)));
            let response = plotly(&HeaderMap::from_iter(takes));
            let packed_as = response.headers().get(header::CONTENT_ENCODING).cloned();
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            (packed_as, body)
        };
        assert_eq!(sent(None).await, (None, Bytes::from(PLOTLY.as_str())));
        assert_eq!(sent(Some("br")).await.0, None);
        let (packed_as, body) = sent(Some("br, gzip")).await;
        assert_eq!(packed_as.unwrap(), "gzip");
        let mut text = String::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
        assert!(text == *PLOTLY && body.len() * 3 < text.len(), "{} bytes", body.len());
        let Html(shell) = shell(OVERVIEW).unwrap();
        assert!(shell.contains(&format!("plotly.min.js?v={}\"", *PLOTLY_VERSION)), "{shell}");
    }

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
