//! A panel: its queries, and how Grafana is to show their answers.

use std::collections::BTreeMap;

use anyhow::Context as _;
use pipeline::definition;
use pipeline::metric::{Catalogue, Direction, Kind, Metric};
use serde_json::{Value, json};

use super::{Language, POSTGRES, PROMETHEUS, Panel, Promql, Series, Show};

/// Colours that the colour-blind tell apart.
const GOOD: &str = "blue";
const WARN: &str = "orange";
const FAIL: &str = "dark-red";
const PLAIN: &str = "text";

/// The units of a table at most.
const UNITS_MAX: usize = 100;

pub(super) fn postgres() -> Value {
    json!({ "type": "grafana-postgresql-datasource", "uid": POSTGRES })
}

fn prometheus() -> Value {
    json!({ "type": "prometheus", "uid": PROMETHEUS })
}

/// Until when there are data, beside whatever a dashboard shows.
pub(super) fn freshness(language: Language) -> Value {
    let title = language.text("{数据截至|Data until}");
    let question = language.text(
        "{所选范围最新的事件是何时的？其后的数字还不完整。|When did the scope's newest event happen? Numbers after it are incomplete.}",
    );
    let sql = format!(
        "select value * 1000 as \"{title}\" from metric('last_event_timestamp_seconds', $__timeFrom(), $__timeTo(), \
         'all', '${{scope}}')"
    );
    json!({
        "type": "stat", "title": title, "description": question, "datasource": postgres(),
        "targets": [sql_target("A", &sql, "table")],
        "gridPos": { "w": 4, "h": 4 },
        "options": stat_options(),
        "fieldConfig": field_config("dateTimeAsLocal", 0, &plain(), language),
    })
}

impl Panel {
    pub(super) fn model(&self, language: Language, catalogue: &Catalogue) -> anyhow::Result<Value> {
        let metrics = self
            .series
            .iter()
            .map(|series| Ok((series, catalogue.get(&series.metric)?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let first = metrics.first().map(|(_, metric)| *metric);
        let title = match &self.title {
            Some(title) => language.text(title),
            None => title_of(first.context("a panel without metric has a title")?, language),
        };
        anyhow::ensure!(self.promql.is_empty() || metrics.is_empty(), "`{title}` asks twice");
        let (source, targets) = if self.promql.is_empty() {
            anyhow::ensure!(!metrics.is_empty(), "`{title}` asks for nothing");
            (postgres(), self.metric_targets(language, &metrics)?)
        } else {
            (prometheus(), self.promql_targets(language))
        };
        let unit = match (&self.unit, first) {
            (Some(unit), _) => unit.clone(),
            (None, Some(metric)) => unit_of(metric).to_owned(),
            (None, None) => "short".to_owned(),
        };
        let decimals = first.map_or(0, decimals_of);
        let steps = first.filter(|_| self.show == Show::Stat).map_or_else(plain, steps_of);
        let mut panel = json!({
            "type": self.kind(),
            "title": title,
            "description": self.described(language, &metrics),
            "gridPos": { "w": self.width, "h": self.height.unwrap_or(self.usual_height()) },
            "datasource": source,
            "targets": targets,
            "options": self.options(),
            "fieldConfig": field_config(&unit, decimals, &steps, language),
        });
        self.refine(&mut panel, language, &metrics);
        Ok(panel)
    }

    /// What the panel answers, and what its metrics mean.
    fn described(&self, language: Language, metrics: &[(&Series, &Metric)]) -> String {
        let mut described = language.text(&self.question);
        let mut told: Vec<&str> = Vec::new();
        for (_, metric) in metrics {
            if told.contains(&metric.id()) {
                continue;
            }
            told.push(metric.id());
            let colon = language.text("{：|: }");
            let source = language.text("{来源：|Source: }");
            described.push_str(&format!(
                "\n\n**{}** (`{}`){colon}{} {source}{}",
                title_of(metric, language),
                metric.id(),
                language.of(definition::languages(metric.definition())),
                language.of(definition::source_languages(metric.source()))
            ));
        }
        described
    }

    fn kind(&self) -> &'static str {
        match self.show {
            Show::Stat => "stat",
            Show::Lines | Show::Bars => "timeseries",
            Show::Units | Show::Table => "table",
        }
    }

    fn usual_height(&self) -> u64 {
        match self.show {
            Show::Stat => 4,
            Show::Lines | Show::Bars => 8,
            Show::Units | Show::Table => 10,
        }
    }

    fn format(&self) -> &'static str {
        match self.show {
            Show::Lines | Show::Bars => "time_series",
            Show::Stat | Show::Units | Show::Table => "table",
        }
    }

    fn promql_targets(&self, language: Language) -> Vec<Value> {
        let is_course = matches!(self.show, Show::Lines | Show::Bars);
        let target = |(place, query): (usize, &Promql)| {
            json!({
                "refId": ref_id(place), "datasource": prometheus(), "expr": query.expr, "instant": !is_course,
                "range": is_course, "format": if self.show == Show::Table { "table" } else { "time_series" },
                "legendFormat": language.text(&query.name), "editorMode": "code",
            })
        };
        self.promql.iter().enumerate().map(target).collect()
    }

    fn metric_targets(
        &self,
        language: Language,
        metrics: &[(&Series, &Metric)],
    ) -> anyhow::Result<Vec<Value>> {
        if self.show == Show::Units {
            return Ok(vec![sql_target("A", &units_sql(language, metrics)?, "table")]);
        }
        let mut targets = Vec::new();
        for (place, (series, metric)) in metrics.iter().enumerate() {
            let name = name_of(series, metric, language);
            let sql = match self.show {
                Show::Lines | Show::Bars => format!(
                    "select time, value as \"{name}\" from {} order by time",
                    series.call(metric, &self.grain, "${scope}")?
                ),
                _ => format!(
                    "select value as \"{name}\" from {}",
                    series.call(metric, "all", "${scope}")?
                ),
            };
            targets.push(sql_target(&ref_id(place), &sql, self.format()));
        }
        Ok(targets)
    }

    fn options(&self) -> Value {
        match self.show {
            Show::Stat => stat_options(),
            Show::Lines | Show::Bars => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
                "tooltip": { "mode": "multi", "sort": "none" },
            }),
            Show::Units | Show::Table => {
                json!({ "showHeader": true, "cellHeight": "sm" })
            }
        }
    }

    /// What depends on how the panel shows its metrics.
    fn refine(&self, panel: &mut Value, language: Language, metrics: &[(&Series, &Metric)]) {
        match self.show {
            Show::Lines | Show::Bars => {
                let is_bars = self.show == Show::Bars;
                panel["fieldConfig"]["defaults"]["custom"] = json!({
                    "drawStyle": if is_bars { "bars" } else { "line" },
                    "lineWidth": if is_bars { 0 } else { 2 }, "fillOpacity": if is_bars { 80 } else { 0 },
                    "showPoints": if is_bars { "never" } else { "always" }, "pointSize": 5, "spanNulls": false,
                    "axisSoftMin": 0,
                });
                panel["fieldConfig"]["defaults"]["color"] = json!({ "mode": "palette-classic" });
                panel["fieldConfig"]["overrides"] = json!(second_axis(language, metrics));
            }
            Show::Units => {
                panel["fieldConfig"]["overrides"] = json!(unit_overrides(language, metrics));
            }
            Show::Table if !self.columns.is_empty() => {
                panel["transformations"] = self.transformations(language);
            }
            Show::Stat | Show::Table => {}
        }
    }

    /// Puts the answers of several queries side by side, and leaves the columns that the panel is to have.
    fn transformations(&self, language: Language) -> Value {
        let columns: Vec<(String, String)> = self
            .columns
            .iter()
            .map(|column| (language.text(&column.field), language.text(&column.title)))
            .collect();
        let fields: Vec<&String> = columns.iter().map(|(field, _)| field).collect();
        let places: BTreeMap<&String, usize> =
            fields.iter().enumerate().map(|(place, field)| (*field, place)).collect();
        let titles: BTreeMap<_, _> = columns.iter().map(|(field, title)| (field, title)).collect();
        let mut steps = Vec::new();
        if let Some(key) = &self.key {
            let options = json!({ "byField": key, "mode": "outer" });
            steps.push(json!({ "id": "joinByField", "options": options }));
        }
        steps.push(json!({
            "id": "filterFieldsByName", "options": { "include": { "names": fields } },
        }));
        steps.push(json!({
            "id": "organize",
            "options": { "indexByName": places, "renameByName": titles, "excludeByName": {} },
        }));
        json!(steps)
    }
}

impl Series {
    /// The numbers of the metric over the time shown, as a table.
    fn call(&self, metric: &Metric, grain: &str, scope: &str) -> anyhow::Result<String> {
        metric.parameter_values(&self.parameters)?;
        metric.check_grain(pipeline::metric::Grain::parse(grain)?)?;
        let scope = self.scope.as_deref().unwrap_or(scope);
        let mut call =
            format!("metric('{}', $__timeFrom(), $__timeTo(), '{grain}', '{scope}'", metric.id());
        for (name, value) in &self.parameters {
            call.push_str(&format!(", '{name}={value}'"));
        }
        call.push(')');
        Ok(call)
    }
}

/// The units of the scope, a row each with every metric. They are in the order of the first, the worst first, if the
/// law lets units be ranked by it, else in that of their names.
fn units_sql(language: Language, metrics: &[(&Series, &Metric)]) -> anyhow::Result<String> {
    let (_, first) = metrics.first().context("a table of units has metrics")?;
    let name = if language == Language::Zh {
        "m0.scope_name"
    } else {
        "coalesce(m0.scope_name_en, m0.scope_name)"
    };
    let mut columns = vec![
        format!("{name} as \"{}\"", language.text("{单位|Unit}")),
        "m0.scope as scope".to_owned(),
    ];
    let mut tables = String::new();
    for (place, (series, metric)) in metrics.iter().enumerate() {
        let column = name_of(series, metric, language);
        columns.push(format!("m{place}.value as \"{column}\""));
        if metric.kind() == Kind::Ratio {
            columns.push(format!(
                "cast(cast(m{place}.numerator as bigint) as varchar) || ' / ' || \
                 cast(cast(m{place}.denominator as bigint) as varchar) as \"{column} n/d\""
            ));
        }
        let call = series.call(metric, "all", "${scope}/*")?;
        if place == 0 {
            tables = format!("{call} as m0");
        } else {
            tables.push_str(&format!(" left join {call} as m{place} on m0.scope = m{place}.scope"));
        }
    }
    let order = match first.direction() {
        Direction::Up | Direction::Compliance if first.is_rankable() => {
            "m0.value asc nulls last, 1"
        }
        Direction::Down if first.is_rankable() => "m0.value desc nulls last, 1",
        _ => "1",
    };
    Ok(format!("select {} from {tables} order by {order} limit {UNITS_MAX}", columns.join(", ")))
}

/// Metrics in another unit than the first have an axis of their own, at the right, and are lines.
fn second_axis(language: Language, metrics: &[(&Series, &Metric)]) -> Vec<Value> {
    let Some((_, first)) = metrics.first() else { return Vec::new() };
    let others = metrics.iter().filter(|(_, metric)| unit_of(metric) != unit_of(first));
    let overrides = others.map(|(series, metric)| {
        json!({
            "matcher": { "id": "byName", "options": name_of(series, metric, language) },
            "properties": [
                { "id": "unit", "value": unit_of(metric) },
                { "id": "decimals", "value": decimals_of(metric) },
                { "id": "custom.axisPlacement", "value": "right" },
                { "id": "custom.drawStyle", "value": "line" },
                { "id": "custom.lineWidth", "value": 2 },
                { "id": "custom.fillOpacity", "value": 0 },
                { "id": "custom.showPoints", "value": "always" },
            ],
        })
    });
    overrides.collect()
}

fn unit_overrides(language: Language, metrics: &[(&Series, &Metric)]) -> Vec<Value> {
    let named = |name: &str, properties: Value| json!({ "matcher": { "id": "byName", "options": name }, "properties": properties });
    let unit_board = language.uid("lawpulse-unit");
    let mut overrides = vec![
        named("scope", json!([{ "id": "custom.hidden", "value": true }])),
        named(
            &language.text("{单位|Unit}"),
            json!([{ "id": "links", "value": [{
                "title": language.text("{单位画像|This unit}"),
                "url": format!("/d/{unit_board}?var-scope=${{__data.fields.scope}}&${{__url_time_range}}"),
            }] }]),
        ),
    ];
    for (series, metric) in metrics {
        let unit = unit_of(metric);
        overrides.push(named(
            &name_of(series, metric, language),
            json!([
                { "id": "unit", "value": unit },
                { "id": "decimals", "value": decimals_of(metric) },
                { "id": "thresholds", "value": { "mode": "absolute", "steps": steps_of(metric) } },
                { "id": "custom.cellOptions", "value": { "type": "color-text" } },
            ]),
        ));
    }
    overrides
}

fn title_of(metric: &Metric, language: Language) -> String {
    match language {
        Language::Zh => metric.title_zh().to_owned(),
        Language::En => metric.title_en().to_owned(),
    }
}

/// What a series is called: the name of a column too, which holds no quote.
fn name_of(series: &Series, metric: &Metric, language: Language) -> String {
    let name = match &series.name {
        Some(name) => language.text(name),
        None => title_of(metric, language),
    };
    name.replace('"', "")
}

/// Grafana's name of a metric's unit.
fn unit_of(metric: &Metric) -> &'static str {
    match metric.unit() {
        "ratio" | "ratio points" => "percentunit",
        "CNY" => "currencyCNY",
        "days" => "d",
        "seconds" => "s",
        _ => "locale",
    }
}

fn decimals_of(metric: &Metric) -> u8 {
    let is_share = metric.kind() == Kind::Ratio || unit_of(metric) == "percentunit";
    u8::from(is_share || metric.unit().contains(" per "))
}

/// Where a number's colour changes: at the metric's thresholds. A neutral metric and a guardrail have no good side.
fn steps_of(metric: &Metric) -> Value {
    let Some(thresholds) = metric.thresholds() else { return plain() };
    let step = |color: &str, value: Option<f64>| json!({ "color": color, "value": value });
    let rises = matches!(metric.direction(), Direction::Up | Direction::Compliance);
    let mut steps = Vec::new();
    match (thresholds.warn, thresholds.fail, rises) {
        (Some(warn), Some(fail), true) => {
            steps.extend([step(FAIL, None), step(WARN, Some(fail)), step(GOOD, Some(warn))]);
        }
        (Some(warn), Some(fail), false) => {
            steps.extend([step(GOOD, None), step(WARN, Some(warn)), step(FAIL, Some(fail))]);
        }
        (Some(at), None, true) => steps.extend([step(WARN, None), step(GOOD, Some(at))]),
        (None, Some(at), true) => steps.extend([step(FAIL, None), step(GOOD, Some(at))]),
        (Some(at), None, false) => steps.extend([step(GOOD, None), step(WARN, Some(at))]),
        (None, Some(at), false) => steps.extend([step(GOOD, None), step(FAIL, Some(at))]),
        (None, None, _) => return plain(),
    }
    json!(steps)
}

fn plain() -> Value {
    json!([{ "color": PLAIN, "value": null }])
}

fn stat_options() -> Value {
    json!({
        "graphMode": "none", "colorMode": "value", "textMode": "auto", "justifyMode": "auto", "orientation": "auto",
        "wideLayout": true, "showPercentChange": false,
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
    })
}

fn field_config(unit: &str, decimals: u8, steps: &Value, language: Language) -> Value {
    let empty = language.text(
        "{无数值：期间内无此类记录、人数不足 5 人不公布，或范围不适用|No number: nothing recorded, fewer than five persons, or not a \
         scope of this metric}",
    );
    json!({
        "defaults": {
            "unit": unit, "decimals": decimals, "noValue": empty, "mappings": [],
            "thresholds": { "mode": "absolute", "steps": steps },
            "color": { "mode": "thresholds" },
        },
        "overrides": [],
    })
}

fn sql_target(ref_id: &str, sql: &str, format: &str) -> Value {
    json!({
        "refId": ref_id, "datasource": postgres(), "rawSql": sql, "rawQuery": true, "format": format,
        "editorMode": "code",
    })
}

fn ref_id(place: usize) -> String {
    let letter = u8::try_from(place).ok().and_then(|place| b'A'.checked_add(place)).unwrap_or(b'Z');
    char::from(letter).to_string()
}
