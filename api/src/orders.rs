//! What only the one writer can do, asked for by whoever waits for the answer.

use pipeline::land::{Replayed, Selection};
use pipeline::reference::Loaded;
use pipeline::reference::gathered::Register;
use tokio::sync::{mpsc, oneshot};

/// How many may wait for the writer.
const WAITING_MAX: usize = 16;

/// Something to do between two landings.
#[derive(Debug)]
pub enum Order {
    /// Try refused lines again.
    Replay {
        /// The source whose lines they are.
        source: String,
        /// Which of them.
        selection: Selection,
        /// Who wants to know what became of them.
        answer: oneshot::Sender<pipeline::Result<Replayed>>,
    },
    /// Take over the registers of a district's own lake.
    TakeOver {
        /// The unit of the district.
        district: String,
        /// Its registers.
        registers: Vec<Register>,
        /// Who wants to know what that changed.
        answer: oneshot::Sender<pipeline::Result<Vec<Loaded>>>,
    },
}

/// Hands orders to the writer.
#[derive(Debug, Clone)]
pub struct Orders(mpsc::Sender<Order>);

/// The writer takes no orders: the server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server stops; ask again later")]
pub struct Stopping;

impl Orders {
    /// The two ends: who hands orders over, and who obeys.
    pub fn channel() -> (Self, mpsc::Receiver<Order>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Has refused lines tried again; waits until what is accepted of them is in the lake.
    pub async fn replay(
        &self,
        source: String,
        selection: Selection,
    ) -> Result<pipeline::Result<Replayed>, Stopping> {
        self.order(|answer| Order::Replay { source, selection, answer }).await
    }

    /// Has registers of a district taken over; waits until they are in the lake.
    pub async fn take_over(
        &self,
        district: String,
        registers: Vec<Register>,
    ) -> Result<pipeline::Result<Vec<Loaded>>, Stopping> {
        self.order(|answer| Order::TakeOver { district, registers, answer }).await
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, Stopping> {
        let (answer, answered) = oneshot::channel();
        self.0.send(order(answer)).await.map_err(|_| Stopping)?;
        answered.await.map_err(|_| Stopping)
    }
}
