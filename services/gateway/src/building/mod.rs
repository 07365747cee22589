//! What a build needs and leaves behind: the job as its runner sees it ([`job`], [`reports`]), and the Terraform state of
//! its workspace ([`state`], [`versions`]), which is [sealed](sealing) and reached with the job's own
//! [`credentials`]; its log, as it arrives ([`logs`]) and is read ([`follow`]); and what is left when it ends without a
//! word ([`upkeep`](mod@upkeep)).

pub(crate) mod credentials;
pub(crate) mod follow;
pub(crate) mod job;
pub(crate) mod logs;
pub(crate) mod reports;
pub(crate) mod sealing;
pub(crate) mod state;
mod upkeep;
pub(crate) mod versions;

pub use sealing::StateSettings;
pub use upkeep::upkeep;
