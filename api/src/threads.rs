//! Threads that plan and run queries, apart from those that answer the network; those of background work give way.

use std::mem::ManuallyDrop;

use anyhow::Context as _;
use thread_priority::{ThreadPriority, ThreadPriorityValue};
use tokio::runtime::{Builder, Runtime};

/// The stack of a thread that plans and runs queries: expressions may be deep, and whoever overflows it ends the process.
/// Only what is used of it takes memory.
const STACK_BYTES: usize = 256 << 20;

/// Starts as many threads as there are processors, to plan and run queries on, named for what they do.
pub(crate) fn computing(name: &str) -> anyhow::Result<Runtime> {
    start(Builder::new_multi_thread().thread_name(name))
}

fn start(threads: &mut Builder) -> anyhow::Result<Runtime> {
    threads
        .worker_threads(std::thread::available_parallelism().map_or(1, usize::from))
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .context("failed to start the threads that compute")
}

/// The priority of background work, of at most 99: nice 10, which is a tenth of the processors while others want all of them,
/// and all of them otherwise.
const PRIORITY: u8 = 22;

/// Starts as many threads as there are processors for what nobody waits for: the numbers of `/metrics`, the goals and checks,
/// what is computed ahead. They are of lower priority than those that answer people.
///
/// They end with the process. To take them down first would break off work that waits for work: Delta's kernel panics then.
pub(crate) fn background() -> anyhow::Result<ManuallyDrop<Runtime>> {
    let mut threads = Builder::new_multi_thread();
    start(threads.thread_name("background").on_thread_start(give_way)).map(ManuallyDrop::new)
}

fn give_way() {
    let lowered = ThreadPriorityValue::try_from(PRIORITY).and_then(|value| {
        let priority = ThreadPriority::Crossplatform(value);
        priority.set_for_current().map_err(|error| format!("{error:?}"))
    });
    // Background work only takes more of the processors then.
    if let Err(error) = lowered {
        tracing::debug!(error, "background work has the priority of all other");
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    /// How nice this thread is: the 19th field of its `stat`, the 17th after its name.
    fn nice() -> i32 {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn background_threads_give_way_and_others_stay_as_they_are() {
        let before = nice();
        let threads = super::background().unwrap();
        let (tell, told) = mpsc::channel();
        threads.spawn(async move { tell.send(nice()).unwrap() });
        assert_eq!((told.recv().unwrap(), nice()), (10, before));
    }
}
