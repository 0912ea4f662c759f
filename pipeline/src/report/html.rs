//! The text as one HTML file that loads nothing: no script, no font, no picture, no link to elsewhere.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

const STYLE: &str = include_str!("style.css");

/// A heading that the contents list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heading {
    anchor: String,
    text: String,
}

/// Makes the page.
pub(super) fn page(title: &str, markdown: &str) -> String {
    let (body, headings) = body(markdown);
    let title = escaped(title);
    let contents: String = headings
        .iter()
        .map(|heading| {
            format!("<li><a href=\"#{}\">{}</a></li>\n", heading.anchor, escaped(&heading.text))
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <nav aria-label=\"目录\">\n<ol>\n{contents}</ol>\n</nav>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

fn body(markdown: &str) -> (String, Vec<Heading>) {
    let mut headings: Vec<Heading> = Vec::new();
    let mut in_heading = false;
    // Links are not nested: one depth is enough to know which end belongs to a dropped start.
    let mut dropped = false;
    let mut events: Vec<Event<'_>> = Vec::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, id, classes, attrs }) => {
                let anchor = format!("s{}", headings.len() + 1);
                in_heading = true;
                headings.push(Heading { anchor: anchor.clone(), text: String::new() });
                let id = id.or(Some(anchor.into()));
                events.push(Event::Start(Tag::Heading {
                    level: HeadingLevel::H2,
                    id,
                    classes,
                    attrs,
                }));
            }
            Event::End(TagEnd::Heading(HeadingLevel::H2)) => {
                in_heading = false;
                if let Some(heading) = headings.last()
                    && heading.text.starts_with("附录")
                {
                    begin_appendix(&mut events);
                }
                events.push(event);
            }
            Event::Start(Tag::Link { ref dest_url, .. }) if !dest_url.starts_with('#') => {
                dropped = true;
            }
            Event::End(TagEnd::Link) if dropped => dropped = false,
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
            Event::Start(Tag::Table(_)) => {
                events.push(Event::Html("<div class=\"table\">".into()));
                events.push(event);
            }
            Event::End(TagEnd::Table) => {
                events.push(event);
                events.push(Event::Html("</div>\n".into()));
            }
            Event::Html(markup) => events.push(Event::Html(only_known(markup))),
            Event::InlineHtml(markup) => events.push(Event::InlineHtml(only_known(markup))),
            event => {
                if let (true, Event::Text(text) | Event::Code(text)) = (in_heading, &event)
                    && let Some(heading) = headings.last_mut()
                {
                    heading.text.push_str(text);
                }
                events.push(event);
            }
        }
    }
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events.into_iter());
    (body, headings)
}

/// Marks the heading that was just begun, so that print starts a page with it.
fn begin_appendix(events: &mut [Event<'_>]) {
    let begun = events.iter_mut().rev().find_map(|event| match event {
        Event::Start(Tag::Heading { classes, .. }) => Some(classes),
        _ => None,
    });
    if let Some(classes) = begun {
        classes.push("appendix".into());
    }
}

/// Markup of the template itself that has no equal in Markdown: anchors and details. Everything else is
/// shown as text.
fn only_known(markup: CowStr<'_>) -> CowStr<'_> {
    let is_known = markup.lines().map(str::trim).all(|line| {
        let anchor = line
            .strip_prefix("<a id=\"")
            .and_then(|rest| rest.strip_suffix("\"></a>").or_else(|| rest.strip_suffix("\">")));
        let is_anchor = anchor.is_some_and(|id| {
            id.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
        });
        let summary = line
            .strip_prefix("<details><summary>")
            .and_then(|rest| rest.strip_suffix("</summary>"));
        let is_details = line == "</details>" || summary.is_some_and(|text| !text.contains('<'));
        line.is_empty() || line == "</a>" || is_anchor || is_details
    });
    if is_known { markup } else { escaped(&markup).into() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let markdown = "# t\n\n[x](http://a.example/) ![y](https://b.example/y.png) [z](#f1)\n\n\
            <script src=\"https://c.example/x.js\"></script>\n\n<img src=\"http://d.example\">\n\n\
            text <a href=\"https://e.example\">e</a>\n";
        let page = page("t", markdown);
        for attribute in ["src=\"", "href=\"", "src='", "href='"] {
            let links =
                page.match_indices(attribute).map(|(place, _)| &page[place + attribute.len()..]);
            for link in links {
                assert!(link.starts_with('#'), "{link}");
            }
        }
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(!page.contains("url(") && !page.contains("@import"));
        assert!(page.contains("<a href=\"#f1\">z</a>"));
    }

    #[test]
    fn text_is_escaped_and_the_templates_own_markup_is_not() {
        let (body, _) = body(
            "a &lt;b&gt; <i>c</i>\n\n<a id=\"f1\"></a>\n\n<details><summary>SQL</summary>\n\n```sql\nselect 1 < 2\n```\n\n</details>\n",
        );
        assert!(body.contains("a &lt;b&gt; &lt;i&gt;c&lt;/i&gt;"), "{body}");
        assert!(body.contains("<a id=\"f1\"></a>"), "{body}");
        assert!(body.contains("<details><summary>SQL</summary>"), "{body}");
        assert!(body.contains("select 1 &lt; 2"), "{body}");
        assert!(page("<t>", "").contains("<title>&lt;t&gt;</title>"));
    }

    #[test]
    fn the_contents_list_the_sections_and_an_appendix_begins_a_page() {
        let (body, headings) =
            body("# 报告\n\n## 一、工作\n\n### （一）巡查\n\n## 附录一 `出处`\n");
        let listed: Vec<_> = headings.iter().map(|heading| heading.text.as_str()).collect();
        assert_eq!(listed, ["一、工作", "附录一 出处"]);
        assert!(body.contains("<h2 id=\"s1\">一、工作</h2>"), "{body}");
        assert!(body.contains("<h2 id=\"s2\" class=\"appendix\">"), "{body}");
    }
}
