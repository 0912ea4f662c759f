//! Samples as Prometheus text (exposition format 0.0.4). Pure.

use std::fmt::Write as _;

/// The type of a family of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Grows.
    Counter,
}

/// All series of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name.
    pub name: String,
    /// What it means, in one line.
    pub help: String,
    /// The type.
    pub kind: Kind,
    /// The series.
    pub series: Vec<Series>,
}

/// One series: its labels and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Label names and values.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// The text of families; one without series is left out, since an absent ratio is not 0.
pub fn render(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.series.is_empty()) {
        let kind = match family.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {} {}", family.name, escape_help(&family.help));
        let _ = writeln!(text, "# TYPE {} {kind}", family.name);
        for series in &family.series {
            text.push_str(&family.name);
            write_labels(&mut text, &series.labels);
            let _ = writeln!(text, " {}", number(series.value));
        }
    }
    text
}

fn write_labels(text: &mut String, labels: &[(String, String)]) {
    if labels.is_empty() {
        return;
    }
    let pairs: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape_label(value))).collect();
    let _ = write!(text, "{{{}}}", pairs.join(","));
}

fn escape_help(help: &str) -> String {
    help.replace('\\', "\\\\").replace('\n', "\\n")
}

fn escape_label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_help_are_escaped_and_numbers_are_exact() {
        let family = Family {
            name: "inspections_total".to_owned(),
            help: "first line\nsecond \\ line".to_owned(),
            kind: Kind::Counter,
            series: vec![
                Series {
                    labels: vec![("scope".to_owned(), "a\"b\\c\n".to_owned())],
                    value: 3253.0,
                },
                Series { labels: Vec::new(), value: 0.89 },
            ],
        };
        let expected = "# HELP inspections_total first line\\nsecond \\\\ line\n\
            # TYPE inspections_total counter\n\
            inspections_total{scope=\"a\\\"b\\\\c\\n\"} 3253\n\
            inspections_total 0.89\n";
        assert_eq!(render(&[family]), expected);
    }

    #[test]
    fn a_family_without_series_is_absent() {
        let family = Family {
            name: "x".to_owned(),
            help: String::new(),
            kind: Kind::Gauge,
            series: Vec::new(),
        };
        assert_eq!(render(&[family]), "");
    }
}
