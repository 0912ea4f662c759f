//! The lake's own parts of plans, as bytes.

use std::sync::Arc;

use datafusion::common::not_impl_err;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::DataResult;
use crate::access::BarrierExec;

const BARRIER: &[u8] = b"barrier";

/// Writes and reads the nodes that only this crate makes. Functions are found by their names, see
/// [`Station`](super::Station).
#[derive(Debug, Default)]
pub struct LakeCodec;

impl PhysicalExtensionCodec for LakeCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _context: &TaskContext,
        _converter: &dyn PhysicalProtoConverterExtension,
    ) -> DataResult<Arc<dyn ExecutionPlan>> {
        match (bytes, inputs) {
            (BARRIER, [input]) => Ok(Arc::new(BarrierExec::new(Arc::clone(input)))),
            _ => not_impl_err!("a part of a plan is of no sort that this lawpulse knows"),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        _converter: &dyn PhysicalProtoConverterExtension,
    ) -> DataResult<()> {
        if node.downcast_ref::<BarrierExec>().is_none() {
            return not_impl_err!("`{}` does not travel", node.name());
        }
        bytes.extend_from_slice(BARRIER);
        Ok(())
    }
}
