//! What people read of alerts: in Chinese, short, with the unit's name. Pure.
//!
//! An annotation of the rules says the same in Chinese and then in English; only what ends with the last `。` is
//! Chinese. Whatever comes from outside has the signs of markup replaced by their full-width forms: no robot
//! documents a way to escape them, and `<@name>` would call somebody.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::webhook::{Alert, Status};

/// The largest text of a message, in bytes: what 企业微信 takes. 钉钉 takes 20,000, which nobody reads in a chat.
pub(super) const TEXT_BYTES_MAX: usize = 4096;

/// The longest texts of an alert, in characters, so that at least one fits into a message.
const SUMMARY_CHARS_MAX: usize = 80;
const DESCRIPTION_CHARS_MAX: usize = 300;
const NAME_CHARS_MAX: usize = 40;
const LINK_BYTES_MAX: usize = 300;

/// Who speaks: the first word of each message, which 钉钉 can be told to ask for (自定义关键词).
const SENDER: &str = "执法脉动";

/// Names of scopes, by their ids.
pub(super) type Names = BTreeMap<String, String>;

/// A message for a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// One line, for the notification of a phone.
    pub(super) title: String,
    /// The whole.
    pub(super) text: String,
}

/// How a chat marks headings, bold text and quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Markup {
    heading: &'static str,
    bold: &'static str,
    quote: &'static str,
    line_end: &'static str,
}

impl Markup {
    /// The Markdown of 企业微信, where each line is a line.
    pub(super) const WECOM: Self =
        Self { heading: "### ", bold: "**", quote: "> ", line_end: "\n" };
    /// The Markdown of 钉钉, where a line ends with two blanks.
    pub(super) const DINGTALK: Self = Self { line_end: "  \n", ..Self::WECOM };
    /// None.
    pub(super) const PLAIN: Self = Self { heading: "", bold: "", quote: "", line_end: "\n" };

    fn link(self, text: &str, url: &str) -> String {
        if self == Self::PLAIN { format!("{text} {url}") } else { format!("[{text}]({url})") }
    }
}

/// How alerts are told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording<'a> {
    /// What units are called.
    pub(super) names: &'a Names,
    /// Whose days and hours are meant.
    pub(super) zone: Tz,
    /// Where the runbook can be read.
    pub(super) runbook: Option<&'a str>,
    /// What the chat shows.
    pub(super) markup: Markup,
}

impl Wording<'_> {
    /// One message about some alerts, those that go on and are severe first. What does not fit is left out alert by alert and
    /// counted, with those that were `left_out` before.
    pub(super) fn message(&self, alerts: &[&Alert], left_out: u64) -> Message {
        let mut alerts = alerts.to_vec();
        alerts.sort_by_key(|alert| (alert.status, !is_severe(alert), alert.starts_at));
        let (title, blocks) = match alerts.as_slice() {
            [only] => (format!("{SENDER}{}", self.told(only)), vec![self.details(only)]),
            several => (counted(several), several.iter().map(|alert| self.block(alert)).collect()),
        };
        let text = self.fitted(&title, &blocks, left_out);
        Message { title, text }
    }

    /// As many blocks as fit, whole.
    fn fitted(&self, title: &str, blocks: &[String], left_out: u64) -> String {
        let more = |blocks: usize| match blocks as u64 + left_out {
            0 => String::new(),
            more => format!("\n\n另有 {more} 条"),
        };
        let mut text = format!("{}{title}", self.markup.heading);
        let mut shown = 0;
        for block in blocks {
            let before = if shown == 0 { "\n" } else { "\n\n" };
            let rest = more(blocks.len() - shown - 1);
            if text.len() + before.len() + block.len() + rest.len() > TEXT_BYTES_MAX {
                break;
            }
            text.push_str(before);
            text.push_str(block);
            shown += 1;
        }
        text.push_str(&more(blocks.len() - shown));
        text
    }

    /// An alert among others.
    fn block(&self, alert: &Alert) -> String {
        let Markup { bold, line_end, .. } = self.markup;
        format!("{bold}{}{bold}{line_end}{}", self.told(alert), self.details(alert))
    }

    /// An alert in one line: how severe, which unit, what.
    fn told(&self, alert: &Alert) -> String {
        let tag = match alert.status {
            Status::Resolved => "已恢复",
            Status::Firing if is_severe(alert) => "严重",
            Status::Firing => "提醒",
        };
        let unit = match alert.label("scope") {
            "" => String::new(),
            scope => format!("{}：", plain(self.name(scope), NAME_CHARS_MAX)),
        };
        let summary = chinese(alert.annotation("summary")).trim_end_matches('。');
        let what = if summary.is_empty() { alert.label("alertname") } else { summary };
        format!("【{tag}】{unit}{}", plain(what, SUMMARY_CHARS_MAX))
    }

    /// What else there is to say: what is the matter and what to do, or that it is over.
    fn details(&self, alert: &Alert) -> String {
        let start = self.time(alert.starts_at);
        let lines = match alert.status {
            Status::Resolved => {
                vec![format!("开始：{start}"), format!("恢复：{}", self.time(alert.ends_at))]
            }
            Status::Firing => self
                .description(alert)
                .into_iter()
                .chain([format!("开始：{start}")])
                .chain(self.action(alert))
                .collect(),
        };
        let quoted: Vec<String> =
            lines.iter().map(|line| format!("{}{line}", self.markup.quote)).collect();
        quoted.join(self.markup.line_end)
    }

    fn description(&self, alert: &Alert) -> Option<String> {
        let scope = alert.label("scope");
        let description = chinese(alert.annotation("description"));
        let told = with_name(description, scope, self.name(scope));
        (!told.is_empty()).then(|| format!("情况：{}", plain(&told, DESCRIPTION_CHARS_MAX)))
    }

    fn action(&self, alert: &Alert) -> Option<String> {
        let url = alert.annotation("runbook_url");
        let section = plain(alert.label("alertname"), NAME_CHARS_MAX);
        let is_absolute = url.starts_with("https://") || url.starts_with("http://");
        let link = match (is_absolute, self.runbook, url.split_once('#')) {
            (true, ..) => Some(url.to_owned()),
            (false, Some(base), Some((_, anchor))) => Some(format!("{base}#{anchor}")),
            _ => None,
        };
        let told = format!("运行手册 {section} 一节");
        let told = match link.filter(|link| is_plain_link(link)) {
            Some(link) => self.markup.link(&told, &link),
            None => told,
        };
        (!url.is_empty()).then(|| format!("处理：见{told}"))
    }

    fn name<'s>(&'s self, scope: &'s str) -> &'s str {
        self.names.get(scope).map_or(scope, String::as_str)
    }

    fn time(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M").to_string()
    }
}

fn is_severe(alert: &Alert) -> bool {
    alert.label("severity") == "critical"
}

/// The title of several alerts.
fn counted(alerts: &[&Alert]) -> String {
    let firing = alerts.iter().filter(|alert| alert.status == Status::Firing).count();
    match (firing, alerts.len() - firing) {
        (0, over) => format!("{SENDER}：{over} 条告警已恢复"),
        (firing, 0) => format!("{SENDER}：{firing} 条告警"),
        (firing, over) => format!("{SENDER}：{firing} 条告警，{over} 条已恢复"),
    }
}

/// What a text says before it says it in English.
fn chinese(text: &str) -> &str {
    const END: char = '。';
    text.rfind(END).map_or(text, |at| &text[..at + END.len_utf8()]).trim()
}

/// A text that calls a scope by its name where it stands as a word of its own.
fn with_name(text: &str, scope: &str, name: &str) -> String {
    let is_inside = |sign: Option<char>| {
        sign.is_some_and(|sign| sign.is_ascii_alphanumeric() || sign == '-' || sign == '_')
    };
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(scope).filter(|_| !scope.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + scope.len()..]);
        told.push_str(before);
        let is_word = !is_inside(told.chars().next_back()) && !is_inside(after.chars().next());
        told.push_str(if is_word { name } else { scope });
        rest = after;
    }
    told.push_str(rest);
    told
}

/// A text without signs of markup, in one line, of at most so many characters.
fn plain(text: &str, chars_max: usize) -> String {
    let mut told = String::with_capacity(text.len());
    let mut signs = text.trim().chars().peekable();
    let mut before = ' ';
    let mut chars = 0;
    while let Some(sign) = signs.next() {
        let is_inside = before.is_alphanumeric()
            && signs.peek().is_some_and(|after: &char| after.is_alphanumeric());
        before = sign;
        if is_invisible(sign) {
            continue;
        }
        if chars + 1 == chars_max && signs.peek().is_some() {
            told.push('…');
            break;
        }
        told.push(match sign {
            _ if sign.is_whitespace() || sign.is_control() => ' ',
            '_' if is_inside => '_',
            // The full-width forms of ASCII are in its order.
            '*' | '_' | '`' | '#' | '<' | '>' | '[' | ']' | '\\' | '~' | '|' | '&' => {
                char::from_u32(sign as u32 + 0xFEE0).unwrap_or(' ')
            }
            _ => sign,
        });
        chars += 1;
    }
    told
}

/// Whether a sign only turns the direction of others, or shows nothing.
fn is_invisible(sign: char) -> bool {
    matches!(sign, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Whether an address can stand in a link as it is.
fn is_plain_link(url: &str) -> bool {
    url.len() <= LINK_BYTES_MAX
        && url
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b":/?#@!$&',;=%-._~+".contains(&byte))
}

#[cfg(test)]
mod tests;
