//! Several nodes and several partitions over one table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chancery_log::{Recorded, partition, place};
use datafusion::logical_expr::ident;
use futures::future::join_all;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use url::Url;

use super::*;
use crate::delta::{DeltaLog, Span};
use crate::encode::encode;
use crate::files::{DataFile, day, positions};
use crate::snapshot::{Chunk, Content, Snapshot};
use crate::store::Store;

const PARTITIONS: u16 = 4;

fn memory() -> Store {
    Store::bucket(Arc::new(InMemory::new()), Url::parse("shared://bucket/some/lake/").unwrap()).unwrap()
}

/// Two nodes' lakes over one log and one table.
async fn two_nodes(store: Option<Store>) -> (Fixture, Lake, Store) {
    let directory = TempDir::new().unwrap();
    let log = Log::open(&directory.path().join("log"), LogOptions::default()).await.unwrap();
    let store = match store {
        Some(store) => store,
        None => Store::open(&directory.path().join("lake").as_path().into()).await.unwrap(),
    };
    let (one, other) = tokio::join!(
        Lake::open_in(store.clone(), log.clone(), options()),
        Lake::open_in(store.clone(), log.clone(), options()),
    );
    (Fixture { directory, log, lake: one.unwrap() }, other.unwrap(), store)
}

/// A file as the table knows it; nothing is read of it.
fn file(name: &str, rows: usize) -> DataFile {
    DataFile {
        path: format!("date=2026-05-28/{name}.parquet"),
        date: day(NOW),
        bytes: 1,
        rows,
        times: (NOW, NOW),
        positions: (1, 2),
    }
}

fn span(partition: u16, after: u64, last: u64) -> Span {
    Span { after: position(partition, after), last: position(partition, last) }
}

fn rows(content: &Content) -> usize {
    content.files.iter().map(|file| file.rows).sum()
}

fn all_positions(batches: &[RecordBatch]) -> Vec<Position> {
    batches.iter().flat_map(positions).map(|position| position.cast_unsigned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_archive_everything_at_once_archive_it_once() {
    archive_at_once(None).await;
    archive_at_once(Some(memory())).await;
}

async fn archive_at_once(store: Option<Store>) {
    let (node, other, _) = two_nodes(store).await;
    let cancel = CancellationToken::new();
    let running: Vec<_> = [node.lake.clone(), other.clone()]
        .map(|lake| {
            let cancel = cancel.clone();
            tokio::spawn(async move { lake.run(cancel).await })
        })
        .into();
    let other = Fixture { directory: TempDir::new().unwrap(), log: node.log.clone(), lake: other };
    for n in 0..60 {
        node.append(n * 10..(n + 1) * 10).await;
        if n % 20 == 19 {
            let events = (n + 1) * 10;
            assert_eq!(node.walk("", false, 70).await, expected(events, ""));
            assert_eq!(other.walk("outcome:denied", true, 70).await.len(), expected(events, "outcome:denied").len());
            let compact = CancellationToken::new();
            let merges = [node.lake.inner.compact(2, &compact), other.lake.inner.compact(2, &compact)];
            assert!(join_all(merges).await.iter().all(Result::is_ok));
        }
    }
    cancel.cancel();
    join_all(running).await.into_iter().for_each(Result::unwrap);
    node.lake.inner.refresh().await.unwrap();
    other.lake.inner.refresh().await.unwrap();
    for node in [&node, &other] {
        let status = node.lake.status();
        assert_eq!((status.rows, status.watermark, status.head), (600, 600, 600));
        assert_eq!(status.partitions, [LakePartition { partition: 0, watermark: 600, head: 600 }]);
        assert_eq!(node.walk("", false, 1000).await, expected(600, ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_sees_what_another_archived_and_only_leftovers_are_removed() {
    let (node, other, store) = two_nodes(Some(memory())).await;
    node.append(0..100).await;
    other.inner.snapshot().await.unwrap();
    node.archive().await;
    assert_eq!(other.status().watermark, 0);
    other.inner.refresh().await.unwrap();
    assert_eq!((other.status().watermark, other.inner.current.get().tail_rows()), (100, 0));
    let other = Fixture { directory: TempDir::new().unwrap(), log: node.log.clone(), lake: other };
    assert_eq!(other.walk("", false, 30).await, expected(100, ""));

    store.objects.put(&"date=2026-05-28/leftover.parquet".into(), "x".into()).await.unwrap();
    let old = other.lake.inner.current.get();
    node.lake.inner.compact(1, &CancellationToken::new()).await.unwrap();
    node.lake.inner.remove_unneeded().await.unwrap();
    // An hour has not passed: the replaced files are readable, and the leftover might be committed yet.
    for path in old.table.files.iter().map(crate::files::object_path).chain(["date=2026-05-28/leftover.parquet".into()])
    {
        store.objects.head(&path).await.unwrap();
    }
    assert_eq!(other.walk("", false, 30).await, expected(100, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_files_stay_for_the_retention_counted_from_their_replacement() {
    let fixture = fixture().await;
    fixture.append(0..100).await;
    fixture.archive().await;
    fixture.append(100..200).await;
    fixture.archive().await;
    let before = fixture.lake.inner.current.get().table.files.clone();
    fixture.lake.inner.compact(2, &CancellationToken::new()).await.unwrap();
    let replaced = fixture.lake.inner.delta.lock().await.replaced_since(0).await.unwrap();
    assert!(replaced.len() > 1 && replaced.iter().all(|path| before.iter().any(|file| file.path == *path)));
    let exists =
        || before.iter().filter(|file| fixture.directory.path().join("lake").join(&file.path).exists()).count();
    assert_eq!(exists(), before.len());
    tokio::time::sleep(Duration::from_millis(5)).await;
    fixture.lake.inner.remove_unneeded().await.unwrap();
    assert_eq!(exists(), before.len() - replaced.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_commit_different_partitions_at_once_and_one_partition_in_turn() {
    let store = memory();
    let mut nodes = Vec::new();
    for node in join_all((0..PARTITIONS).map(|_| DeltaLog::open(&store, PARTITIONS))).await {
        nodes.push(node.unwrap());
    }
    // Each its own partition: all succeed, though only one can be the next version.
    let own = nodes.iter_mut().zip(0..).map(|(node, p)| async move {
        for n in 0..5 {
            let file = [file(&format!("own-{p}-{n}"), 10)];
            assert!(node.append(&file, &[span(p, n * 10, n * 10 + 10)]).await.unwrap());
        }
    });
    join_all(own).await;
    // All the same events: one succeeds, even where the batches end at different places.
    let same = nodes.iter_mut().zip(0..).map(|(node, n)| async move {
        let spans = [span(0, 50, 60 + n), span(3, 50, 55)];
        node.append(&[file(&format!("same-{n}"), 1)], &spans).await.unwrap()
    });
    assert_eq!(join_all(same).await.into_iter().filter(|won| *won).count(), 1);
    // All merge the same files: one succeeds.
    nodes[0].update().await.unwrap();
    let parts = nodes[0].content().files.as_ref().clone();
    let merges = nodes.iter_mut().zip(0..).map(|(node, n)| {
        let parts: Vec<_> = parts.iter().filter(|file| file.path.contains("own-1")).cloned().collect();
        async move { node.replace(&parts, &file(&format!("merged-{n}"), 50)).await.unwrap() }
    });
    assert_eq!(join_all(merges).await.into_iter().filter(|won| *won).count(), 1);

    let mut reopened = DeltaLog::open(&store, PARTITIONS).await.unwrap();
    reopened.update().await.unwrap();
    for node in &mut nodes {
        node.update().await.unwrap();
        assert_eq!(rows(node.content()), 4 * 50 + 1);
        assert_eq!(node.content().watermark, reopened.content().watermark);
        let paths = |content: &Content| content.files.iter().map(|file| file.path.clone()).collect::<BTreeSet<_>>();
        assert_eq!(paths(node.content()), paths(reopened.content()));
    }
    let places: Vec<u64> = reopened.content().watermark.positions().map(place).collect();
    assert!(places[0] > 59 && places[1..] == [50, 50, 55], "{places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_ends_in_each_partition_where_it_ended_when_it_began() {
    let lake = fixture().await.lake;
    let mut snapshot = empty(PARTITIONS);
    (0..PARTITIONS).for_each(|p| snapshot.extend(chunk(p, 0, 9)));
    let end = snapshot.reached.clone();
    (1..3).for_each(|p| snapshot.extend(chunk(p, 9, 20)));
    let table = lake.inner.engine.table(&Visibility::All, snapshot.rows(), crate::table::Order::OldestFirst);
    let events = lake.inner.engine.session().read_table(table).unwrap();
    let within = events.filter(crate::functions::within(ident("position"), &end)).unwrap().collect().await.unwrap();
    let found: BTreeSet<Position> = all_positions(&within).into_iter().collect();
    assert_eq!(found, (0..PARTITIONS).flat_map(|p| chunk_positions(p, 0, 9)).collect());
}

fn empty(partitions: u16) -> Snapshot {
    Snapshot::new(Content { files: Arc::default(), watermark: Frontier::start(partitions) })
}

/// Events stand at the places that 3 does not divide.
fn chunk_positions(partition: u16, after: u64, last: u64) -> Vec<Position> {
    (after + 1..=last).filter(|place| place % 3 != 0).map(|place| position(partition, place)).collect()
}

fn chunk(p: u16, after: u64, last: u64) -> Chunk {
    let events: Vec<Recorded> =
        chunk_positions(p, after, last).into_iter().map(|position| Recorded { position, bytes: "{}".into() }).collect();
    Chunk { after: position(p, after), last: position(p, last), batch: encode(&events).unwrap() }
}

proptest! {
    /// However the tail reads and the table moves on, in whatever order and with whatever overlap: what is beyond the
    /// table's watermark is in the tail, once.
    #[test]
    fn the_tail_is_what_was_read_beyond_the_watermark(
        steps in prop::collection::vec((0..PARTITIONS, any::<bool>(), 0..4_u64, 1..12_u64), 1..40)
    ) {
        let mut snapshot = empty(PARTITIONS);
        for (p, reads, back, count) in steps {
            let reached = place(snapshot.reached.of(p));
            if reads {
                let after = reached.saturating_sub(back);
                snapshot.extend(chunk(p, after, after + count));
            } else {
                let mut watermark = snapshot.table.watermark.clone();
                watermark.advance(position(p, place(watermark.of(p)) + count));
                snapshot.follow(Content { watermark, ..snapshot.table.clone() });
            }
            prop_assert!(snapshot.reached.reaches(&snapshot.table.watermark));
            for p in 0..PARTITIONS {
                let chunks = || snapshot.chunks.iter().filter(move |chunk| partition(chunk.last) == p);
                let batches: Vec<RecordBatch> = chunks().map(|chunk| chunk.batch.clone()).collect();
                let (from, to) = (place(snapshot.table.watermark.of(p)), place(snapshot.reached.of(p)));
                prop_assert_eq!(all_positions(&batches), chunk_positions(p, from, to));
                let ends = chunks().try_fold(position(p, from), |end, chunk| (chunk.after == end).then_some(chunk.last));
                prop_assert_eq!(ends, Some(position(p, to)));
            }
        }
    }
}

/// A server that gives every request the same answer.
async fn answering(status: &'static str, body: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            assert!(connection.read(&mut [0; 8192]).await.unwrap() > 0);
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_said_within_seconds() {
    let nowhere = "http://127.0.0.1:1".to_owned();
    let missing = answering("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>").await;
    let denied = answering("403 Forbidden", "<Error><Code>SignatureDoesNotMatch</Code></Error>").await;
    for (url, endpoint, reason) in [
        ("s3://audit/lake", missing, "the bucket `audit` does not exist"),
        ("s3://audit", denied, "access to bucket `audit` is denied"),
        ("s3://audit", nowhere.clone(), "the bucket `audit` cannot be reached"),
        ("http://audit/lake", nowhere, "`http://audit/lake` is not of the form s3://bucket/prefix"),
    ] {
        let options = S3Options {
            url: url.to_owned(),
            endpoint: Some(endpoint),
            region: Some("eu-central-1".to_owned()),
            access_key_id: Some("somebody".to_owned()),
            secret_access_key: Some("hidden".to_owned()),
        };
        assert!(!format!("{options:?}").contains("hidden"));
        let opened = tokio::time::timeout(Duration::from_secs(10), Store::open(&Location::S3(options))).await.unwrap();
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
