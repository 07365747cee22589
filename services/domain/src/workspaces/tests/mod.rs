//! Workspaces, builds and the ledger together: named cases, and generated histories.

mod clock;
mod fold;
mod holes;
mod machine;
mod properties;
mod world;
