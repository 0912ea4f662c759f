//! Gives a join its rows in slices, so that it pauses now and then.
//!
//! A join whose condition hardly ever holds computes on and on for one batch of rows and hears of no deadline: each row
//! of the batch may meet millions. In slices that it gets through in a moment it comes back for more, and then a
//! query that is over ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt as _};
use pipeline::travel::Wrapping;

/// The rows of the first slice: with a million rows on the other side, some tenths of a second.
const ROWS_AT_FIRST: usize = 16;

/// Slices become larger while the join takes less than this for one, and smaller when it takes ten times as long.
const SWIFT: Duration = Duration::from_millis(5);

/// Gives on the rows of its input in slices.
#[derive(Debug)]
pub(crate) struct SlicesExec {
    input: Arc<dyn ExecutionPlan>,
}

impl Wrapping for SlicesExec {
    const NAME: &'static [u8] = b"slices";

    fn over(input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input }
    }
}

impl DisplayAs for SlicesExec {
    fn fmt_as(
        &self,
        _kind: DisplayFormatType,
        out: &mut std::fmt::Formatter<'_>,
    ) -> std::fmt::Result {
        out.write_str("SlicesExec")
    }
}

impl ExecutionPlan for SlicesExec {
    fn name(&self) -> &str {
        "SlicesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _act: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.len()) {
            (Some(input), 0) => Ok(Arc::new(Self::over(input))),
            _ => internal_err!("slices are of one input"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(Slices {
            input: self.input.execute(partition, context)?,
            rest: None,
            rows: ROWS_AT_FIRST,
            given: None,
        }))
    }
}

struct Slices {
    input: SendableRecordBatchStream,
    rest: Option<RecordBatch>,
    /// The rows of the next slice.
    rows: usize,
    /// When the last slice was given; `None` after a pause.
    given: Option<Instant>,
}

impl Stream for Slices {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(given) = self.given.take() {
            let took = given.elapsed();
            if took < SWIFT {
                self.rows = self.rows.saturating_mul(2);
            } else if took > SWIFT * 10 {
                self.rows = (self.rows / 2).max(1);
            }
            if took >= SWIFT {
                // A pause: whoever waits for this thread, and the deadline, come first.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.input.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(batch))) => batch,
                other => return other,
            },
        };
        let rows = self.rows.min(batch.num_rows());
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        self.given = Some(Instant::now());
        Poll::Ready(Some(Ok(batch.slice(0, rows))))
    }
}

impl RecordBatchStream for Slices {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
