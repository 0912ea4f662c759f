//! The attributes of an act: a JSON object being written.

use crate::simulate::rhythm::{Day, date_text};

/// Attributes in the order in which they were given; texts hold no character that JSON would escape.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes(String);

impl Attributes {
    /// Adds a text.
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.json(name, &format!("\"{value}\""))
    }

    /// Adds a text if there is one.
    pub(super) fn text_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds a number.
    pub(super) fn number(self, name: &str, value: i64) -> Self {
        self.json(name, &value.to_string())
    }

    /// Adds a truth value.
    pub(super) fn flag(self, name: &str, value: bool) -> Self {
        self.json(name, if value { "true" } else { "false" })
    }

    /// Adds `true` or nothing.
    pub(super) fn flag_if(self, name: &str, value: bool) -> Self {
        if value { self.flag(name, true) } else { self }
    }

    /// Adds a date.
    pub(super) fn date(self, name: &str, value: Day) -> Self {
        self.text(name, &date_text(value))
    }

    /// Adds a value that is JSON already.
    pub(super) fn json(mut self, name: &str, value: &str) -> Self {
        self.0.push_str(if self.0.is_empty() { "{\"" } else { ",\"" });
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(value);
        self
    }

    /// Returns the object, or an empty text when nothing was added.
    pub(super) fn finish(mut self) -> String {
        if !self.0.is_empty() {
            self.0.push('}');
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_an_object_in_their_order_or_nothing() {
        assert_eq!(Attributes::default().flag_if("absent", false).finish(), "");
        let attributes = Attributes::default().text("kind", "seal").number("days", 30);
        let attributes = attributes.flag_if("is_emergency", true).date("due_on", 59);
        let expected = r#"{"kind":"seal","days":30,"is_emergency":true,"due_on":"2024-02-29"}"#;
        assert_eq!(attributes.text_if("plan_id", None).finish(), expected);
    }
}
