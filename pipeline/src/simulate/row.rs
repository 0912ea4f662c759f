//! One event, ready to be written, and its form as a JSON line.

use super::rhythm::{DAY, Moment, civil, day_of};

/// One event line; an empty text means that the field is absent.
///
/// Texts hold no character that JSON would escape. A row is reused for many events to save allocations.
#[derive(Debug, Default, Clone)]
pub(super) struct Row {
    pub(super) event_id: String,
    pub(super) revision: u32,
    pub(super) is_deleted: bool,
    pub(super) event_type: &'static str,
    pub(super) occurred_at: Moment,
    pub(super) received_at: Moment,
    pub(super) org_id: String,
    pub(super) officer_ids: [String; 2],
    pub(super) object_id: String,
    pub(super) party_id: String,
    pub(super) item_code: String,
    pub(super) channel: &'static str,
    /// A JSON object.
    pub(super) attributes: String,
}

impl Row {
    /// Empties every field and keeps the buffers.
    pub(super) fn clear(&mut self) {
        for text in [
            &mut self.event_id,
            &mut self.org_id,
            &mut self.object_id,
            &mut self.party_id,
            &mut self.item_code,
            &mut self.attributes,
        ] {
            text.clear();
        }
        self.officer_ids.iter_mut().for_each(String::clear);
        self.revision = 0;
        self.is_deleted = false;
        self.channel = "";
    }

    /// Returns the wire name of the operation.
    pub(super) fn operation(&self) -> &'static str {
        if self.is_deleted { "delete" } else { "upsert" }
    }

    /// Appends the row as one line with its newline; defaults are left out.
    pub(super) fn render(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"event_id\":\"");
        line.extend_from_slice(self.event_id.as_bytes());
        if self.revision > 0 {
            line.extend_from_slice(b"\",\"revision\":");
            line.extend_from_slice(self.revision.to_string().as_bytes());
            line.extend_from_slice(b",\"operation\":\"");
            line.extend_from_slice(self.operation().as_bytes());
        }
        line.extend_from_slice(b"\",\"event_type\":\"");
        line.extend_from_slice(self.event_type.as_bytes());
        line.extend_from_slice(b"\",\"occurred_at\":\"");
        render_moment(line, self.occurred_at);
        line.extend_from_slice(b"\",\"received_at\":\"");
        render_moment(line, self.received_at);
        line.push(b'"');
        render_text(line, b",\"org_id\":\"", &self.org_id);
        self.render_officers(line);
        render_text(line, b",\"object_id\":\"", &self.object_id);
        render_text(line, b",\"party_id\":\"", &self.party_id);
        render_text(line, b",\"item_code\":\"", &self.item_code);
        render_text(line, b",\"channel\":\"", self.channel);
        if !self.attributes.is_empty() {
            line.extend_from_slice(b",\"attributes\":");
            line.extend_from_slice(self.attributes.as_bytes());
        }
        line.extend_from_slice(b"}\n");
    }

    fn render_officers(&self, line: &mut Vec<u8>) {
        let [first, second] = &self.officer_ids;
        if first.is_empty() {
            return;
        }
        line.extend_from_slice(b",\"officer_ids\":[\"");
        line.extend_from_slice(first.as_bytes());
        if !second.is_empty() {
            line.extend_from_slice(b"\",\"");
            line.extend_from_slice(second.as_bytes());
        }
        line.extend_from_slice(b"\"]");
    }
}

fn render_text(line: &mut Vec<u8>, name: &[u8], text: &str) {
    if !text.is_empty() {
        line.extend_from_slice(name);
        line.extend_from_slice(text.as_bytes());
        line.push(b'"');
    }
}

/// Appends a moment as `2024-03-05T09:12:33+08:00`.
fn render_moment(line: &mut Vec<u8>, at: Moment) {
    let (year, month, date) = civil(day_of(at));
    let second = at.rem_euclid(DAY) as u32;
    let mut text = *b"0000-00-00T00:00:00+08:00";
    let pairs = [
        (0, year as u32 / 100),
        (2, year as u32 % 100),
        (5, month),
        (8, date),
        (11, second / 3600),
        (14, second / 60 % 60),
        (17, second % 60),
    ];
    for (place, number) in pairs {
        text[place] = b'0' + (number / 10) as u8;
        text[place + 1] = b'0' + (number % 10) as u8;
    }
    line.extend_from_slice(&text);
}

/// Appends `number` with at least `width` digits.
pub(super) fn push_number(text: &mut String, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut place = digits.len();
    let mut left = number;
    while left > 0 {
        place -= 1;
        digits[place] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    let start = place.min(digits.len() - width);
    text.extend(digits[start..].iter().map(|digit| char::from(*digit)));
}

/// Appends `number` as sixteen hexadecimal digits.
pub(super) fn push_hex(text: &mut String, number: u64) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digits: [u8; 16] =
        std::array::from_fn(|place| DIGITS[(number >> (60 - 4 * place)) as usize & 15]);
    text.extend(digits.iter().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_json_line_without_absent_fields() {
        let mut row = Row { event_type: "officer.login", ..Row::default() };
        row.event_id.push_str("e1");
        row.org_id.push_str("town-longta");
        row.officer_ids[0].push_str("officer-0001");
        row.occurred_at = 64 * DAY + 9 * 3600 + 12 * 60 + 33;
        row.received_at = row.occurred_at + 29;
        let mut line = Vec::new();
        row.render(&mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            concat!(
                r#"{"event_id":"e1","event_type":"officer.login","occurred_at":"2024-03-05T09:12:33+08:00","#,
                r#""received_at":"2024-03-05T09:13:02+08:00","org_id":"town-longta","officer_ids":["officer-0001"]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn numbers_are_padded_and_never_cut() {
        let check = |number, width, expected: &str| {
            let mut text = String::new();
            push_number(&mut text, number, width);
            assert_eq!(text, expected);
        };
        check(0, 4, "0000");
        check(42, 4, "0042");
        check(123_456, 4, "123456");
        let mut text = String::new();
        push_hex(&mut text, 0x00ab_cdef_0123_4567);
        assert_eq!(text, "00abcdef01234567");
    }
}
