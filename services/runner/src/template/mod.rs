//! A template on its way to Terraform: unpacked, and read for what the runner must know before.

mod declarations;
mod unpack;

pub(crate) use declarations::Declarations;
pub(crate) use unpack::unpack;
