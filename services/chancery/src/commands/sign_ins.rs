//! `chancery audit sign-ins`: the three questions one has of a log of sign-ins.

use chancery_filter::{Part, Pattern};
use serde_json::{Value, json};

use super::audit::print_table;
use crate::cli::SignInsArguments;
use crate::client::Client;
use crate::failure::Failure;
use crate::terminal::{self, Output};

pub(crate) async fn run(arguments: &SignInsArguments, client: &Client) -> Result<(), Failure> {
    let output = Output::or_default(arguments.output);
    for (title, query) in questions(&like(&arguments.source), arguments.limit) {
        let answer: Value = client.post("/api/v1/audit/sql", &json!({ "query": query })).await?;
        if matches!(output, Output::Table | Output::Csv) {
            terminal::line(&format!("\n{title}"));
        }
        print_table(&answer, Some(output));
    }
    Ok(())
}

/// A glob as the pattern of `LIKE`, quoted.
fn like(glob: &str) -> String {
    let pattern = Pattern::new(glob.chars().map(|character| match character {
        '*' => Part::AnySequence,
        '?' => Part::AnyCharacter,
        other => Part::Literal(other.into()),
    }));
    format!("'{}'", pattern.to_like().replace('\'', "''"))
}

/// Refusals are failed and denied events of anyone with a name. A success counts when it is the same action of the
/// same account, later; many logs have seconds only, so events of one second are told apart by their order. A session
/// lasts as its end says, or from the first to the last event that names it.
fn questions(source: &str, limit: usize) -> [(&'static str, String); 3] {
    [
        (
            "Addresses that tried the most accounts",
            format!(
                "SELECT actor_ip AS address, count(DISTINCT actor_name) AS accounts, count(*) AS refusals,
                    min(occurred_at) AS first, max(occurred_at) AS last FROM events
                 WHERE source LIKE {source} AND outcome <> 'success' AND actor_name IS NOT NULL AND actor_ip IS NOT NULL
                 GROUP BY 1 ORDER BY accounts DESC, refusals DESC, address LIMIT {limit}"
            ),
        ),
        (
            "Accounts that succeeded after failures",
            format!(
                "SELECT refused.actor_name AS account, refused.action, count(*) AS refusals,
                    min(refused.occurred_at) AS first_refusal, max(succeeded.last) AS success
                 FROM events AS refused JOIN (SELECT actor_name, action, max(occurred_at) AS last,
                    last_value(position ORDER BY occurred_at, position) AS position FROM events
                    WHERE source LIKE {source} AND outcome = 'success' GROUP BY 1, 2) AS succeeded
                    ON refused.actor_name = succeeded.actor_name AND refused.action = succeeded.action
                 WHERE refused.source LIKE {source} AND refused.outcome <> 'success'
                    AND (refused.occurred_at < succeeded.last
                        OR (refused.occurred_at = succeeded.last AND refused.position < succeeded.position))
                 GROUP BY 1, 2 ORDER BY refusals DESC, account, action LIMIT {limit}"
            ),
        ),
        (
            "Longest sessions",
            format!(
                "SELECT actor_name AS account, actor_ip AS address, occurred_at AS ended,
                    CAST(json_text(event, 'data.duration_ms') AS DOUBLE) / 1000 AS seconds FROM events
                 WHERE source LIKE {source} AND type = 'session.closed' AND json_text(event, 'data.duration_ms') IS NOT NULL
                 UNION ALL
                 SELECT max(actor_name), max(actor_ip), max(occurred_at),
                    (arrow_cast(max(occurred_at), 'Int64') - arrow_cast(min(occurred_at), 'Int64')) / 1e6 FROM events
                 WHERE source LIKE {source} AND actor_session IS NOT NULL AND type NOT LIKE 'session.%'
                 GROUP BY actor_session HAVING count(*) > 1
                 ORDER BY seconds DESC, account LIMIT {limit}"
            ),
        ),
    ]
}
