//! Grafana dashboards, written from short files: a file says what a panel asks, the catalogue says how a metric is
//! called, in which unit it is, what it means and when it deserves attention.
//!
//! Texts of the files hold both languages, as in `{应用使用|Usage}`; each language is a dashboard of its own.

mod panel;

use std::path::Path;

use anyhow::Context as _;
use include_dir::{Dir, include_dir};
use pipeline::metric::{Catalogue, Choice};
use serde::Deserialize;
use serde_json::{Value, json};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../dashboards/grafana/boards");

/// The uid of the Prometheus data source in `dashboards/grafana/provisioning`.
const PROMETHEUS: &str = "lawpulse-prometheus";

/// The uid of the PostgreSQL data source there.
const POSTGRES: &str = "lawpulse-postgres";

/// The columns of Grafana's grid.
const COLUMNS: u64 = 24;

/// A language of the dashboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The name of the folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }

    /// This language's of two texts, Chinese and English.
    fn of<T>(self, (chinese, english): (T, T)) -> T {
        match self {
            Self::Zh => chinese,
            Self::En => english,
        }
    }

    /// A text of a file, of whose `{中文|English}` parts this language's are left.
    fn text(self, text: &str) -> String {
        let mut told = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            told.push_str(before);
            match after.split_once('}').and_then(|(inside, after)| {
                inside
                    .split_once('|')
                    .map(|(zh, en)| (if self == Self::Zh { zh } else { en }, after))
            }) {
                Some((chosen, after)) => {
                    told.push_str(chosen);
                    rest = after;
                }
                // Braces of PromQL and of variables.
                None => {
                    told.push('{');
                    rest = after;
                }
            }
        }
        told.push_str(rest);
        told
    }

    fn uid(self, uid: &str) -> String {
        match self {
            Self::Zh => uid.to_owned(),
            Self::En => format!("{uid}-en"),
        }
    }
}

/// A dashboard as its file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Board {
    uid: String,
    title: String,
    /// What the dashboard answers.
    question: String,
    /// Where the time shown begins, in Grafana's words.
    #[serde(default = "a_year_ago")]
    since: String,
    #[serde(rename = "row")]
    rows: Vec<Row>,
}

fn a_year_ago() -> String {
    "now-1y".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    title: String,
    #[serde(rename = "panel")]
    panels: Vec<Panel>,
}

/// A panel as its file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Panel {
    show: Show,
    /// Left out, it is that of the first metric.
    title: Option<String>,
    /// What the panel answers.
    question: String,
    #[serde(default = "a_third")]
    width: u64,
    height: Option<u64>,
    /// The buckets of a course; months unless said otherwise.
    #[serde(default = "month")]
    grain: String,
    /// The metrics.
    #[serde(default)]
    series: Vec<Series>,
    /// Queries of Prometheus: for what is happening now, and for what is no metric.
    #[serde(default)]
    promql: Vec<Promql>,
    /// Grafana's unit, where no metric says it.
    unit: Option<String>,
    /// The label that the answers of a table's queries of Prometheus are joined on.
    key: Option<String>,
    /// The columns of such a table, in their order: Grafana's name of the field, and the title.
    #[serde(default)]
    columns: Vec<Column>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    field: String,
    title: String,
}

fn a_third() -> u64 {
    8
}

fn month() -> String {
    "month".to_owned()
}

/// How a panel shows what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Show {
    /// One number for each series, about the whole time shown.
    Stat,
    /// The course over time, as lines.
    Lines,
    /// The course over time, as bars.
    Bars,
    /// A table of the units of the scope.
    Units,
    /// A table.
    Table,
}

/// A metric in a panel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    metric: String,
    #[serde(default)]
    parameters: Choice,
    /// Left out, it is the metric's title.
    name: Option<String>,
    /// Left out, it is the dashboard's.
    scope: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Promql {
    expr: String,
    #[serde(default)]
    name: String,
}

/// A dashboard as Grafana reads it.
#[derive(Debug)]
pub struct Dashboard {
    /// The folder and the name of its file.
    pub path: String,
    /// What Grafana reads.
    pub model: Value,
}

/// Every dashboard in both languages: those shipped, or those of a folder.
///
/// A file that is wrong is an error that names it.
pub fn dashboards(folder: Option<&Path>, catalogue: &Catalogue) -> anyhow::Result<Vec<Dashboard>> {
    let mut made = Vec::new();
    for (name, text) in texts(folder)? {
        let board: Board =
            toml::from_str(&text).with_context(|| format!("in the dashboard `{name}`"))?;
        for language in Language::ALL {
            let model = board
                .model(language, catalogue)
                .with_context(|| format!("in the dashboard `{name}`"))?;
            let stem = name.trim_end_matches(".toml");
            let path = format!("{}/{stem}.json", language.name());
            made.push(Dashboard { path, model });
        }
    }
    Ok(made)
}

fn texts(folder: Option<&Path>) -> anyhow::Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    let Some(folder) = folder else {
        for file in SHIPPED.files() {
            let name = file.path().to_string_lossy().into_owned();
            texts.push((name, file.contents_utf8().context("a file is not UTF-8")?.to_owned()));
        }
        return Ok(texts);
    };
    let cannot = || format!("cannot read the folder `{}`", folder.display());
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            texts.push((name, text));
        }
    }
    anyhow::ensure!(!texts.is_empty(), "no dashboard (*.toml) in `{}`", folder.display());
    texts.sort();
    Ok(texts)
}

impl Board {
    fn model(&self, language: Language, catalogue: &Catalogue) -> anyhow::Result<Value> {
        let text = |text: &str| language.text(text);
        let mut panels = Vec::new();
        let (mut id, mut y) = (0, 0);
        let mut next_id = || {
            id += 1;
            id
        };
        for (place, row) in self.rows.iter().enumerate() {
            panels.push(json!({
                "id": next_id(), "type": "row", "title": text(&row.title), "collapsed": false, "panels": [],
                "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
            }));
            y += 1;
            let mut made = Vec::new();
            for panel in &row.panels {
                made.push(panel.model(language, catalogue)?);
            }
            if place == 0 {
                made.push(panel::freshness(language));
            }
            y = laid_out(&mut made, y, &mut next_id);
            panels.extend(made);
        }
        Ok(json!({
            "uid": language.uid(&self.uid),
            "title": text(&self.title),
            "description": text(&self.question),
            "tags": ["lawpulse", format!("lawpulse-{}", language.name())],
            "schemaVersion": 39,
            "version": 1,
            "editable": false,
            "graphTooltip": 1,
            "timezone": "Asia/Shanghai",
            "time": { "from": self.since, "to": "now" },
            "refresh": "5m",
            "links": self.links(language),
            "templating": { "list": Self::variables(language) },
            "annotations": { "list": [] },
            "panels": panels,
        }))
    }

    fn links(&self, language: Language) -> Value {
        let link = |kind: &str, title: &str, tags: &[String], url: &str| {
            json!({
                "type": kind, "title": title, "tags": tags, "url": url, "asDropdown": kind == "dashboards",
                "icon": "dashboard", "tooltip": "", "includeVars": true, "keepTime": true, "targetBlank": false,
            })
        };
        let others = language.text("{其他看板|Other dashboards}");
        let other = language.text("{English|中文}");
        let url = format!("/d/{}", language.other().uid(&self.uid));
        json!([
            link("dashboards", &others, &[format!("lawpulse-{}", language.name())], ""),
            link("link", &other, &[], &url),
        ])
    }

    fn variables(language: Language) -> Value {
        let name = if language == Language::Zh { "scope_name" } else { "scope_name_en" };
        let query = format!(
            "select coalesce({name}, scope_name, scope) as __text, scope as __value \
             from metrics.officers_on_roster where grain = 'all' \
             order by case scope_kind when 'kind' then 1 when 'area' then 2 when 'org' then 3 else 0 end, 1"
        );
        json!([{
            "name": "scope", "label": language.text("{范围|Scope}"), "type": "query", "refresh": 1, "sort": 0,
            "description": language.text("{全区、单位类型、片区或一个单位|The district, a kind of unit, an area or one unit}"),
            "datasource": panel::postgres(), "query": query,
            "multi": false, "includeAll": false, "hide": 0, "regex": "", "options": [],
            "current": { "text": language.text("{全区|District}"), "value": "district" },
        }])
    }
}

/// Gives panels their places, from left to right and down from `y`; returns where the next row begins.
fn laid_out(panels: &mut [Value], y: u64, next_id: &mut impl FnMut() -> u64) -> u64 {
    let (mut x, mut top, mut below) = (0, y, y);
    for panel in panels {
        let size = |key: &str| panel["gridPos"][key].as_u64().unwrap_or(COLUMNS);
        let (width, height) = (size("w"), size("h"));
        if x + width > COLUMNS {
            (x, top) = (0, below);
        }
        panel["gridPos"]["x"] = json!(x);
        panel["gridPos"]["y"] = json!(top);
        panel["id"] = json!(next_id());
        x += width;
        below = below.max(top + height);
    }
    below
}

#[cfg(test)]
mod tests;
