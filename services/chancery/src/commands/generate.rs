//! `chancery generate`.

use std::io::{BufWriter, Write};

use chancery_company::{Company, Options};
use chancery_domain::Timestamp;
use chancery_domain::cloudevents::to_cloudevent;

use crate::cli::GenerateArguments;
use crate::failure::Failure;

pub(crate) fn run(arguments: &GenerateArguments) -> Result<(), Failure> {
    let start: Timestamp = format!("{}T00:00:00Z", arguments.start)
        .parse()
        .map_err(|_| Failure::usage(format!("`{}` is no date such as 2026-01-01", arguments.start)))?;
    let options = Options { users: arguments.users, days: arguments.days, start, seed: arguments.seed };
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    for event in Company::new(options).take(arguments.events.unwrap_or(usize::MAX)) {
        if writeln!(out, "{}", to_cloudevent(&event)).is_err() {
            // Whoever read has enough.
            return Ok(());
        }
    }
    out.flush().ok();
    Ok(())
}
