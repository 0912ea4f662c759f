//! The forms of the robots: what each is sent, and what its answer means. Pure.
//!
//! After the public documents of 2026-11: 企业微信 群机器人 (developer.work.weixin.qq.com, path 91770) and 钉钉 自定义机器人
//! (open.dingtalk.com, custom robots). Both answer 200 to what they refuse, with an `errcode` other than 0.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use ring::hmac;
use serde::Deserialize;
use serde_json::json;

use super::wording::{Markup, Message};

/// What an answer's own words are cut to, in characters, before they are logged.
const REASON_CHARS_MAX: usize = 200;

/// Messages that a robot takes in a minute are 20; fewer are sent, since the robot counts arrivals.
pub(super) const PER_MINUTE: u32 = 18;

/// What sort of robot it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// 企业微信.
    Wecom,
    /// 钉钉.
    Dingtalk,
    /// 浙政钉, taken to be 钉钉 at a host of its own; this was not tried against the real one.
    Zhezhengding,
    /// A gateway that takes JSON with the title and the text.
    Plain,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The message is in the chat.
    Taken,
    /// Too many messages: nothing is to be sent for as long.
    Throttled(Duration, String),
    /// Refused, and why.
    Refused(String),
}

#[derive(Debug, Deserialize)]
struct Answer {
    errcode: Option<i64>,
    #[serde(default)]
    errmsg: String,
    success: Option<bool>,
}

impl Form {
    /// How its messages are marked up.
    pub(super) fn markup(self) -> Markup {
        match self {
            Self::Wecom => Markup::WECOM,
            Self::Dingtalk | Self::Zhezhengding => Markup::DINGTALK,
            Self::Plain => Markup::PLAIN,
        }
    }

    /// Whether it knows signatures.
    pub(super) fn is_signed(self) -> bool {
        matches!(self, Self::Dingtalk | Self::Zhezhengding)
    }

    /// A message as it takes it.
    pub(super) fn body(self, message: &Message) -> String {
        let Message { title, text } = message;
        let body = match self {
            Self::Wecom => json!({"msgtype": "markdown", "markdown": {"content": text}}),
            Self::Dingtalk | Self::Zhezhengding => {
                json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}})
            }
            Self::Plain => json!({"title": title, "text": text}),
        };
        body.to_string()
    }

    /// What its answer means.
    pub(super) fn verdict(self, status: u16, body: &[u8]) -> Verdict {
        if status == 429 {
            return Verdict::Throttled(self.rest(), "HTTP 429".to_owned());
        }
        if !(200..300).contains(&status) {
            return Verdict::Refused(format!("HTTP {status}"));
        }
        if self == Self::Plain {
            return Verdict::Taken;
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
            return Verdict::Refused("its answer is not JSON; is a proxy in between?".to_owned());
        };
        let words: String = answer.errmsg.chars().take(REASON_CHARS_MAX).collect();
        match (answer.errcode, answer.success) {
            (Some(0), _) => Verdict::Taken,
            // Other interfaces of 浙政钉 answer like this; to take it for a refusal would send the message over and over.
            (None, Some(true)) if self == Self::Zhezhengding => Verdict::Taken,
            (Some(code), _) => self.refusal(code, &words),
            (None, _) => Verdict::Refused("its answer has no errcode".to_owned()),
        }
    }

    fn refusal(self, code: i64, words: &str) -> Verdict {
        let told = format!("errcode {code}: {words}");
        match code {
            45009 | 130101 | 410100 => Verdict::Throttled(self.rest(), told),
            93000 => Verdict::Refused(format!("{told}; copy the robot's address again")),
            310000 => Verdict::Refused(format!(
                "{told}; look at the robot's security settings (安全设置): `secret`, keyword `执法脉动`, addresses, this \
                 machine's clock"
            )),
            300001 | 300005 | 400101 | 400106 => {
                Verdict::Refused(format!("{told}; copy the robot's address again"))
            }
            _ => Verdict::Refused(told),
        }
    }

    /// How long a robot takes nothing once it was sent too much: 钉钉 says ten minutes.
    fn rest(self) -> Duration {
        match self {
            Self::Dingtalk | Self::Zhezhengding => Duration::from_secs(600),
            Self::Wecom | Self::Plain => Duration::from_secs(60),
        }
    }
}

/// The address with the signature of a moment, which 钉钉 takes for an hour.
pub(super) fn signed(url: &Url, secret: &str, unix_millis: i64) -> Url {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{unix_millis}\n{secret}").as_bytes());
    let mut url = url.clone();
    url.query_pairs_mut()
        .append_pair("timestamp", &unix_millis.to_string())
        .append_pair("sign", &STANDARD.encode(tag));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: [Form; 3] = [Form::Wecom, Form::Dingtalk, Form::Zhezhengding];

    #[test]
    fn the_signature_is_that_of_openssl() {
        // printf '1733616000000\nSECtest' | openssl dgst -sha256 -hmac SECtest -binary | base64, then url-encoded.
        let url = Url::parse("https://oapi.dingtalk.com/robot/send?access_token=t").unwrap();
        let signed = signed(&url, "SECtest", 1_733_616_000_000);
        assert_eq!(
            signed.as_str(),
            "https://oapi.dingtalk.com/robot/send?access_token=t&timestamp=1733616000000&sign=GNlNFp6qLkqzaIm0pEXI9hyFouuwvEBmhV3ogyFcJlU%3D"
        );
    }

    #[test]
    fn each_robot_is_sent_its_form() {
        let message = Message { title: "标题".to_owned(), text: "文\n\"本\"".to_owned() };
        let check = |form: Form, expected: &str| assert_eq!(form.body(&message), expected);
        let markdown = r#"{"msgtype":"markdown","markdown":{"title":"标题","text":"文\n\"本\""}}"#;
        check(Form::Wecom, r#"{"msgtype":"markdown","markdown":{"content":"文\n\"本\""}}"#);
        check(Form::Dingtalk, markdown);
        check(Form::Zhezhengding, markdown);
        check(Form::Plain, r#"{"title":"标题","text":"文\n\"本\""}"#);
    }

    #[test]
    fn only_an_errcode_of_0_says_that_a_message_was_taken() {
        for form in CHAT {
            let verdict = |status, body: &str| form.verdict(status, body.as_bytes());
            assert_eq!(verdict(200, r#"{"errcode":0,"errmsg":"ok"}"#), Verdict::Taken);
            for (status, body, why) in [
                (200, r#"{"errcode":310000,"errmsg":"sign not match"}"#, "security settings"),
                (200, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, "address again"),
                (200, r#"{"errcode":7,"errmsg":"a new one"}"#, "errcode 7: a new one"),
                (200, r#"{"errmsg":"ok"}"#, "no errcode"),
                (200, "<html>", "not JSON"),
                (500, r#"{"errcode":0}"#, "HTTP 500"),
                (302, "", "HTTP 302"),
            ] {
                let Verdict::Refused(told) = verdict(status, body) else { panic!("{body}") };
                assert!(told.contains(why), "{told}");
            }
            let success = verdict(200, r#"{"success":true}"#);
            assert_eq!(success == Verdict::Taken, form == Form::Zhezhengding);
        }
        assert_eq!(Form::Plain.verdict(204, b""), Verdict::Taken);
        assert_eq!(Form::Plain.verdict(503, b""), Verdict::Refused("HTTP 503".to_owned()));
    }

    #[test]
    fn a_robot_that_was_sent_too_much_rests() {
        let rests = |form: Form, status, body: &str| match form.verdict(status, body.as_bytes()) {
            Verdict::Throttled(rest, _) => rest.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(rests(Form::Wecom, 200, r#"{"errcode":45009,"errmsg":"api freq out"}"#), 60);
        assert_eq!(rests(Form::Dingtalk, 200, r#"{"errcode":130101,"errmsg":"too fast"}"#), 600);
        assert_eq!(rests(Form::Plain, 429, ""), 60);
    }
}
