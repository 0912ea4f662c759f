//! What Alertmanager sends: its webhook, version 4. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;

/// The version of the webhook that is read.
const VERSION: &str = "4";

/// A group of alerts that a receiver is to hear of.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    version: String,
    /// What tells the group from others.
    group_key: String,
    /// Alerts of the group that Alertmanager has left out.
    #[serde(default)]
    pub(super) truncated_alerts: u64,
    /// The others.
    pub(super) alerts: Vec<Alert>,
}

/// An alert, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    pub(super) status: Status,
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) starts_at: DateTime<Utc>,
    /// Means something only once the alert is resolved.
    pub(super) ends_at: DateTime<Utc>,
    fingerprint: String,
}

/// Whether an alert goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It does.
    Firing,
    /// It is over.
    Resolved,
}

impl Alert {
    /// A label, empty when it is not there.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// An annotation, empty when it is not there.
    pub(super) fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
    }
}

impl Notification {
    /// Reads a body. What is wrong with it is told without its content.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(body)
            .map_err(|error| format!("this is no webhook of Alertmanager: {error}"))?;
        if read.version != VERSION {
            return Err("the webhook has another version than 4".to_owned());
        }
        if read.alerts.is_empty() {
            return Err("the webhook holds no alert".to_owned());
        }
        Ok(read)
    }

    /// What tells a message about some alerts of this group from every other, also when it is sent again.
    ///
    /// An alert that has ended and started anew is told anew: its start is part of it.
    pub(super) fn key<'a>(&self, alerts: impl IntoIterator<Item = &'a Alert>) -> blake3::Hash {
        let mut told: Vec<String> = alerts
            .into_iter()
            .map(|alert| {
                let start = alert.starts_at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                format!("{} {:?} {start}", alert.fingerprint, alert.status)
            })
            .collect();
        told.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        for part in std::iter::once(&self.group_key).chain(&told) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An alert about a unit, as Alertmanager 0.25 writes it.
    pub(in crate::relay) fn silent(scope: &str, status: &str) -> Value {
        json!({
            "status": status,
            "labels": {
                "alertname": "OrgSilent", "audience": "unit", "scope": scope, "severity": "warning",
            },
            "annotations": {
                "summary": "单位连续五个工作日没有业务活动。A unit has recorded no substantive activity for five working days.",
                "description": format!(
                    "单位 {scope} 已连续 12 个工作日没有业务活动（检查、巡查、案件步骤等）。 Unit {scope} has recorded no \
                     inspection for 12 working days."
                ),
                "runbook_url": "dashboards/runbook.md#orgsilent",
            },
            "startsAt": "2026-01-01T00:30:00.123Z",
            "endsAt": if status == "firing" { "0001-01-01T00:00:00Z" } else { "2026-01-03T01:00:00Z" },
            "generatorURL": "http://prometheus/graph?g0.expr=…",
            "fingerprint": format!("of {scope}"),
        })
    }

    /// A webhook with these alerts.
    pub(in crate::relay) fn webhook(alerts: &[Value]) -> Value {
        json!({
            "receiver": "unit", "status": "firing", "alerts": alerts,
            "groupLabels": {"alertname": "OrgSilent"}, "commonLabels": {}, "commonAnnotations": {},
            "externalURL": "http://alertmanager:9093", "version": "4",
            "groupKey": "{}/{audience=\"unit\"}:{alertname=\"OrgSilent\"}", "truncatedAlerts": 0,
        })
    }

    /// The alerts of a webhook.
    pub(in crate::relay) fn alerts(alerts: &[Value]) -> Vec<Alert> {
        Notification::read(webhook(alerts).to_string().as_bytes()).unwrap().alerts
    }

    fn key(alerts: &[Value]) -> blake3::Hash {
        let read = Notification::read(webhook(alerts).to_string().as_bytes()).unwrap();
        read.key(&read.alerts)
    }

    #[test]
    fn the_key_of_a_message_is_that_of_its_alerts_in_any_order_and_new_with_each_change() {
        let (a, b) = (silent("town-1", "firing"), silent("town-2", "firing"));
        assert_eq!(key(&[a.clone(), b.clone()]), key(&[b.clone(), a.clone()]));
        let mut again = a.clone();
        again["startsAt"] = "2026-01-05T00:30:00Z".into();
        let over = silent("town-1", "resolved");
        for other in [vec![again], vec![over], vec![a.clone(), b.clone()], vec![b]] {
            assert_ne!(key(std::slice::from_ref(&a)), key(&other));
        }
        // The value that is described may change from one try to the next.
        let mut described = a.clone();
        described["annotations"]["description"] = "13".into();
        assert_eq!(key(&[a]), key(&[described]));
    }

    #[test]
    fn what_is_no_webhook_is_told_as_such() {
        let refused = |body: &Value| Notification::read(body.to_string().as_bytes()).unwrap_err();
        let mut other = webhook(&[silent("town-1", "firing")]);
        other["version"] = "5".into();
        assert!(refused(&other).contains("version"));
        assert!(refused(&webhook(&[])).contains("no alert"));
        assert!(refused(&json!({"alerts": []})).contains("missing field"));
        assert!(Notification::read(b"hello").is_err());
    }
}
