//! Puts data into Markdown so that it stays text. Pure.

/// Escapes what Markdown would take for markup; a line break becomes a space.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // A list or a heading can only begin where the text does.
    let after_digits = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let after_mark = after_digits.strip_prefix(['.', ')']);
    let is_item = after_digits.len() < text.len()
        && after_mark.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
    let marker = if is_item { Some(text.len() - after_digits.len()) } else { None };
    for (place, letter) in text.char_indices() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '-' | '+' | '=' if place == 0 => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ if Some(place) == marker => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A span of code, which shows the text as it is.
pub(super) fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A block of code.
pub(super) fn code_block(language: &str, text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", text.trim_end())
}

/// A link to a place of the same text.
pub(super) fn link(text: &str, anchor: &str) -> String {
    format!("[{text}](#{anchor})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_markup_is_text() {
        assert_eq!(escape("a*b_c|d"), "a\\*b\\_c\\|d");
        assert_eq!(escape("<script>x & y</script>"), "&lt;script&gt;x &amp; y&lt;/script&gt;");
        assert_eq!(escape("[x](y)"), "\\[x\\](y)");
        assert_eq!(escape("2024-01-01\n至今"), "2024-01-01 至今");
        assert_eq!(escape("1. 事项"), "1\\. 事项");
        assert_eq!(escape("- 事项"), "\\- 事项");
        assert_eq!(escape("71.345%"), "71.345%");
        assert_eq!(escape("龙溪街道（89%）"), "龙溪街道（89%）");
    }

    #[test]
    fn code_holds_any_backticks() {
        assert_eq!(code("select 1"), "`select 1`");
        assert_eq!(code("a `b`"), "`` a `b` ``");
        assert_eq!(code_block("sql", "select 1\n"), "```sql\nselect 1\n```");
        assert_eq!(code_block("sql", "```"), "````sql\n```\n````");
    }
}
