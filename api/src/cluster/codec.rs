//! The door's own part of plans, as bytes.

use std::sync::Arc;

use datafusion::common::{Result, not_impl_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use crate::sql_door::SlicesExec;

const SLICES: &[u8] = b"slices";

/// Writes and reads slices.
#[derive(Debug)]
pub(super) struct SlicesCodec;

impl PhysicalExtensionCodec for SlicesCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _context: &TaskContext,
        _converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (bytes, inputs) {
            (SLICES, [input]) => Ok(Arc::new(SlicesExec::new(Arc::clone(input)))),
            _ => not_impl_err!("a part of a plan is of no sort that this lawpulse knows"),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        _converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        if node.downcast_ref::<SlicesExec>().is_none() {
            return not_impl_err!("`{}` does not travel", node.name());
        }
        bytes.extend_from_slice(SLICES);
        Ok(())
    }
}
