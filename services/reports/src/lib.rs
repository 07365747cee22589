//! Reports: from facts to tables, and from tables to files. Pure: equal facts and questions give equal bytes, whenever and
//! wherever they are asked; no clock, no randomness, no order of a hash table reaches a file.
//!
//! * [`usage`] computes what was used of quotas from [`chancery_domain::usage::Facts`].
//! * [`focus`] tells the same as charges in the columns of FOCUS, for chargeback.
//! * [`Document`] is a table with all that has to be said about it, [`Format`] what it is written as.
//! * [`Period`] is a stretch of time that is asked about, [`Price`] what a credit costs.

mod amounts;
mod document;
pub mod focus;
mod formats;
mod period;
pub mod usage;

pub use amounts::{Amount, Credits, Price, PriceError};
pub use document::{Cell, Column, Document, Kind};
pub use formats::{Format, FormatError};
pub use period::{Period, PeriodError};
