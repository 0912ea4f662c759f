//! Nodes of our own in plans, as bytes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use datafusion::common::not_impl_err;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::DataResult;
use crate::access::BarrierExec;

/// A node that is known by its name and by what it is over.
pub trait Wrapping: ExecutionPlan {
    /// What tells it from other nodes in bytes.
    const NAME: &'static [u8];

    /// The node over an input.
    fn over(input: Arc<dyn ExecutionPlan>) -> Self;
}

impl Wrapping for BarrierExec {
    const NAME: &'static [u8] = b"barrier";

    fn over(input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input)
    }
}

/// Writes and reads the nodes that only this crate makes. Functions are found by their names, see
/// [`Station`](super::Station).
pub fn lake_codec() -> impl PhysicalExtensionCodec {
    codec_of::<BarrierExec>()
}

/// Writes and reads one sort of nodes.
pub fn codec_of<N: Wrapping>() -> impl PhysicalExtensionCodec {
    Codec::<N>(PhantomData)
}

struct Codec<N>(PhantomData<fn() -> N>);

impl<N> fmt::Debug for Codec<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::any::type_name::<Self>())
    }
}

impl<N: Wrapping> PhysicalExtensionCodec for Codec<N> {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _context: &TaskContext,
        _converter: &dyn PhysicalProtoConverterExtension,
    ) -> DataResult<Arc<dyn ExecutionPlan>> {
        match inputs {
            [input] if bytes == N::NAME => Ok(Arc::new(N::over(Arc::clone(input)))),
            _ => not_impl_err!("a part of a plan is of no sort that this lawpulse knows"),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        _converter: &dyn PhysicalProtoConverterExtension,
    ) -> DataResult<()> {
        if node.downcast_ref::<N>().is_none() {
            return not_impl_err!("`{}` does not travel", node.name());
        }
        bytes.extend_from_slice(N::NAME);
        Ok(())
    }
}
