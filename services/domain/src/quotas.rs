//! Quotas: what builds may take, weighed between plan and apply.
//!
//! Each workspace takes of its owner's quota the larger of what its last finished build left running (`committed`) and
//! what its build in progress has set aside (`reserved`). Stopping and shrinking are always allowed; anything else is, if
//! the sum stays within the allowance, every cap and every hard budget. What nobody knows the cost of is said, and is not
//! counted as nothing.
//!
//! INVARIANT: sums do not wrap. One that is too large for its type is beyond every bound.

pub mod bounds;
mod judgement;
#[cfg(test)]
mod tests;

pub use judgement::{BudgetFact, CapFact, Facts, Judgement, LedgerEntry};
