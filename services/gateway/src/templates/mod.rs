//! Templates: what workspaces are made from, and who may use them.

pub(crate) mod resource;
