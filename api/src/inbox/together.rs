//! Small bodies that come at once go to disk at once: what a body costs is its file and the wait for the disk, whatever it holds.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};

use bytes::Bytes;

use crate::inbox::Coming;

/// How many bytes are written together.
const TOGETHER_BYTES: usize = 16 << 20;

/// Bodies that wait for the disk, and the turn to write them: who comes while it is taken waits and is written with all others that
/// did.
#[derive(Debug, Default)]
pub(super) struct Together {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    bodies: VecDeque<Small>,
    is_taken: bool,
}

/// A body that is held in memory until it is on disk.
#[derive(Debug)]
pub(super) struct Small {
    pub(super) coming: Coming,
    pub(super) bytes: Bytes,
    written: Arc<OnceLock<Written>>,
    /// Who waits for it.
    thread: Thread,
}

impl Drop for Small {
    fn drop(&mut self) {
        // Of one whose writer has panicked nothing has been said.
        let _ = self.written.set(Err((io::ErrorKind::Other, "it was not written".to_owned())));
        self.thread.unpark();
    }
}

/// Whether it is on disk, or what the disk said; an error is told to several.
type Written = Result<(), (io::ErrorKind, String)>;

impl Together {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the body is on disk. `write` writes some bodies of one source; it is called by one at a time.
    pub(super) fn write(
        &self,
        coming: Coming,
        bytes: Bytes,
        write: impl Fn(&[Small]) -> io::Result<()>,
    ) -> io::Result<()> {
        let written = Arc::new(OnceLock::new());
        let mut queue = self.queue();
        let (thread, told) = (thread::current(), Arc::clone(&written));
        queue.bodies.push_back(Small { coming, bytes, written: told, thread });
        loop {
            if let Some(written) = written.get() {
                return written.clone().map_err(|(kind, what)| io::Error::new(kind, what));
            }
            if queue.is_taken {
                drop(queue);
                // Until it is written, or is the first that is not.
                thread::park();
                queue = self.queue();
                continue;
            }
            let turn = self.begin(&mut queue);
            let bodies = queue.take();
            drop(queue);
            for bodies in bodies.into_values() {
                let outcome = write(&bodies);
                let outcome = outcome.map_err(|error| (error.kind(), error.to_string()));
                for body in bodies {
                    // Nobody else sets it.
                    let _ = body.written.set(outcome.clone());
                }
            }
            drop(turn);
            queue = self.queue();
        }
    }

    fn begin(&self, queue: &mut Queue) -> Turn<'_> {
        queue.is_taken = true;
        Turn(self)
    }
}

/// The turn to write, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t>(&'t Together);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_taken = false;
        if let Some(next) = queue.bodies.front() {
            next.thread.unpark();
        }
    }
}

#[cfg(test)]
impl Together {
    /// Lets bodies wait.
    pub(super) fn hold(&self) -> Turn<'_> {
        self.begin(&mut self.queue())
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue().bodies.len()
    }
}

impl Queue {
    /// The bodies that came first, by their source.
    fn take(&mut self) -> BTreeMap<String, Vec<Small>> {
        let mut taken: BTreeMap<String, Vec<Small>> = BTreeMap::new();
        let mut bytes = 0;
        while let Some(body) = self.bodies.pop_front() {
            bytes += body.bytes.len();
            taken.entry(body.coming.source.clone()).or_default().push(body);
            if bytes >= TOGETHER_BYTES {
                break;
            }
        }
        taken
    }
}
