//! `chancery migrate embedded-to-cluster`: the whole history of an embedded installation, into a cluster.
//!
//! Events keep their canonical bytes, so every digest of them and every proof about them stays what it is. State and
//! lake are folded and archived from the log again by the cluster's nodes.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use chancery_lake::Blobs;
use chancery_log::{Cluster, Frontier, Log, LogOptions, Recorded};
use sha2::{Digest, Sha256};

use crate::cli::MigrateCommand;
use crate::configuration::Configuration;
use crate::failure::{Doing, Failure};
use crate::serve::{open_log, own};
use crate::terminal;

const BATCH: usize = 4096;

pub(crate) async fn run(command: &MigrateCommand, configuration: &Configuration) -> Result<(), Failure> {
    let MigrateCommand::EmbeddedToCluster { from, positions } = command;
    if !from.join("log").join("journal.db").is_file() {
        return Err(Failure::usage(format!("`{}` holds no embedded log", from.display())));
    }
    let _owner = own(from)?;
    let embedded = Log::open(&from.join("log"), LogOptions::default()).await.doing("opening the embedded log")?;
    let target = open_log(configuration, BTreeSet::new()).await?;
    let Some(cluster) = target.cluster() else {
        return Err(Failure::usage("the configuration names no cluster: set `log.engine = \"kafka\"`"));
    };
    let mut mapping = match positions {
        Some(path) => Some(begin(path).doing(&format!("writing {}", path.display()))?),
        None => None,
    };
    let heads = embedded.heads();
    let (mut after, mut digest) = (0, Sha256::new());
    while after < heads.of(0) {
        let page = embedded.read(after, BATCH).await.doing("reading the embedded log")?;
        let taken = take_over(cluster, &page.events).await?;
        for (event, position) in &taken {
            digest.update(event.bytes.as_bytes());
            if let Some(mapping) = &mut mapping {
                writeln!(mapping, "{},{position}", event.position).doing("writing the positions")?;
            }
        }
        after = page.reached;
        terminal::line(&format!("{after} of {} events", heads.total()));
    }
    if let Some(mut mapping) = mapping {
        mapping.flush().doing("writing the positions")?;
    }
    let blobs = Blobs::open(&configuration.blobs()).doing("opening the store of templates")?;
    let archives = Blobs::copy_all(&from.join("blobs"), &blobs).await.doing("copying templates")?;
    let copied = verify(&embedded, &target, &heads).await?;
    target.close().await;
    embedded.close().await;
    terminal::line(&format!(
        "{copied} events and {archives} archives of templates are in the cluster, byte for byte; SHA-256 over all events \
         in order: {:x}",
        digest.finalize()
    ));
    Ok(())
}

fn begin(path: &Path) -> std::io::Result<std::io::BufWriter<std::fs::File>> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "embedded,cluster")?;
    Ok(file)
}

async fn take_over(cluster: &Cluster, events: &[Recorded]) -> Result<Vec<(Recorded, u64)>, Failure> {
    cluster.take_over(events).await.doing("copying events")
}

/// Reads back what was copied, and compares it with what it was copied from: as sets, for the cluster has an order per
/// stream.
async fn verify(embedded: &Log, target: &Log, heads: &Frontier) -> Result<u64, Failure> {
    let original = digests(embedded, heads).await?;
    let heads = target.barrier().await.doing("reading back")?;
    let copied = digests(target, &heads).await?;
    let missing = original.difference(&copied).count();
    if missing > 0 {
        return Err(Failure::failed(format!("{missing} events are not in the cluster as they were; run this again")));
    }
    Ok(original.len() as u64)
}

async fn digests(log: &Log, heads: &Frontier) -> Result<BTreeSet<[u8; 32]>, Failure> {
    let mut digests = BTreeSet::new();
    for head in heads.positions() {
        let mut after = chancery_log::position(chancery_log::partition(head), 0);
        while after < head {
            let page = log.read(after, BATCH).await.doing("reading back")?;
            digests.extend(page.events.iter().map(|event| <[u8; 32]>::from(Sha256::digest(event.bytes.as_bytes()))));
            after = page.reached;
        }
    }
    Ok(digests)
}
