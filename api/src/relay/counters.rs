//! What the relay counts of its work, for `/metrics`.

use prometheus::{IntCounterVec, Opts, Registry, TextEncoder};

/// Counters of one relay.
#[derive(Debug)]
pub(super) struct Counters {
    registry: Registry,
    webhooks: IntCounterVec,
    messages: IntCounterVec,
}

impl Counters {
    /// Starts to count. Fails only if two counters have one name.
    pub(super) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<_> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        Ok(Self {
            webhooks: counters(
                "lawpulse_relay_webhooks_total",
                "Webhooks of Alertmanager by the status that they were answered with.",
                &["status"],
            )?,
            messages: counters(
                "lawpulse_relay_messages_total",
                "Messages by robot and how it went: delivered, repeated (the robot had it before), held for its limit, or \
                 failed.",
                &["robot", "outcome"],
            )?,
            registry,
        })
    }

    /// Counts a webhook that has been answered.
    pub(super) fn count_webhook(&self, status: u16) {
        self.webhooks.with_label_values(&[&status.to_string()]).inc();
    }

    /// Counts a message.
    pub(super) fn count_message(&self, robot: &str, outcome: &str) {
        self.messages.with_label_values(&[robot, outcome]).inc();
    }

    /// Everything in the exposition format.
    pub(super) fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
