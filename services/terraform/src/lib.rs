//! Archives of Terraform files: read without trusting them, understood as far as Chancery must, packed so that the same
//! files are the same bytes.
//!
//! * [`read`] unpacks a tar archive, perhaps compressed, in memory and within [`Limits`]: what is no plain file or
//!   directory with a plain relative name is refused, and so is what grows beyond the limits while it grows.
//! * [`Files::pack`] is the one archive of some files: sorted, without times and owners. It is what is stored, digested and
//!   handed out, so nobody later reads what was not read here: no header survives that another reader of tar might
//!   understand otherwise.
//! * [`describe`] parses every file and tells the variables, providers, versions and costs, or every mistake with file
//!   and line.
//!
//! Pure: no files are touched, nothing is run.
//!
//! INVARIANT: no input makes it use more memory than a small multiple of the limits.

mod contents;
mod describe;
mod error;
mod files;
mod json;
mod native;
mod paths;
mod unpack;

pub use describe::describe;
pub use error::{ArchiveError, Mistake};
pub use files::{File, Files, digest};
pub use unpack::{Limits, Packing, read};

#[cfg(test)]
mod tests;
