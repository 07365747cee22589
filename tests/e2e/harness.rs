//! What the tests of the cluster rely on: the object store's conditional writes, the broker's listeners, the balancer,
//! the cables.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_tests::{Balancer, Host, Kafka, KafkaAccess, Launch, Network, S3, S3_CREDENTIALS, Server};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use reqwest::{Client, StatusCode};
use tempfile::TempDir;

use crate::logins;

fn bucket(s3: &S3) -> Arc<AmazonS3> {
    let store = AmazonS3Builder::new()
        .with_endpoint(s3.endpoint())
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("lake")
        .with_access_key_id(S3_CREDENTIALS.0)
        .with_secret_access_key(S3_CREDENTIALS.1)
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    Arc::new(store.build().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_writers_creates_an_object_and_it_outlives_a_kill() {
    const WRITERS: usize = 8;
    let mut s3 = S3::start();
    s3.bucket("lake");
    let store = bucket(&s3);
    let mut winners = Vec::new();
    for round in 0..10 {
        let path = Path::from(format!("log/{round:020}.json"));
        let create = |writer: usize| {
            let (store, path) = (store.clone(), path.clone());
            async move {
                let options = PutOptions::from(PutMode::Create);
                match store.put_opts(&path, format!("writer {writer}").into(), options).await {
                    Ok(_) => Some(writer),
                    Err(Error::AlreadyExists { .. }) => None,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let created = futures::future::join_all((0..WRITERS).map(create)).await;
        let created: Vec<usize> = created.into_iter().flatten().collect();
        assert_eq!(created.len(), 1, "{path} was created by {created:?}");
        winners.push((path, created[0]));
    }
    s3.kill();
    s3.restart();
    // It answers before all of its parts have found each other again.
    let (first, begun) = (winners[0].0.clone(), Instant::now());
    while let Err(error) = store.get(&first).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{error}");
    }
    for (path, winner) in winners {
        let object = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(object, format!("writer {winner}").as_bytes());
        assert_eq!(store.get_range(&path, 0..6).await.unwrap(), "writer".as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_of_the_broker_takes_a_message_also_after_a_kill() {
    let mut kafka = Kafka::start();
    let send = async |kafka: &Kafka, access: KafkaAccess| {
        let mut config = ClientConfig::new();
        for (name, value) in kafka.environment(access) {
            let name = name.trim_start_matches("CHANCERY_KAFKA_").to_lowercase().replace('_', ".");
            config.set(name.replace("ca.file", "ssl.ca.location"), value);
        }
        let producer: FutureProducer = config.create().unwrap();
        let record = FutureRecord::to("listeners").key("").payload("");
        producer.send(record, Duration::from_secs(20)).await.unwrap();
    };
    let all = [KafkaAccess::Plain, KafkaAccess::Scram, KafkaAccess::Tls, KafkaAccess::ScramTls, KafkaAccess::Open];
    for access in all {
        send(&kafka, access).await;
    }
    kafka.kill();
    kafka.restart();
    send(&kafka, KafkaAccess::ScramTls).await;
    kafka.pause();
    let resumed = Instant::now() + Duration::from_secs(2);
    let sending = async {
        send(&kafka, KafkaAccess::Open).await;
        Instant::now()
    };
    let resume = async {
        tokio::time::sleep_until(resumed.into()).await;
        kafka.resume();
    };
    let (arrived, ()) = tokio::join!(sending, resume);
    assert!(arrived >= resumed);
}

/// Events of a batch: few enough that a server's state follows, since one that is far behind says that it is not ready.
const BATCH: u64 = 100;

/// Servers that share nothing, behind a balancer.
struct Behind {
    balancer: Balancer,
    servers: Vec<Server>,
    _directory: TempDir,
}

impl Behind {
    async fn start(hosts: Vec<Host>) -> Self {
        let directory = TempDir::new().unwrap();
        let mut servers = Vec::new();
        for (number, host) in hosts.into_iter().enumerate() {
            let launch = Launch { host, ..Launch::new(&directory.path().join(number.to_string())) };
            let mut server = Server::launch(launch).await;
            server.ready().await;
            servers.push(server);
        }
        let sockets: Vec<String> = servers.iter().map(Server::socket).collect();
        Self { balancer: Balancer::start(&sockets), servers, _directory: directory }
    }

    /// Sends batches from many clients while something happens to the servers; none is refused.
    async fn sends(&mut self, mut incident: impl AsyncFnMut(&mut Vec<Server>)) -> Duration {
        let (http, url) = (Client::new(), format!("{}/api/v1/events", self.balancer.url()));
        let stop = std::sync::atomic::AtomicBool::new(false);
        let client = |client: u64| {
            let (http, url, stop) = (&http, &url, &stop);
            async move {
                let (mut longest, mut next) = (Duration::ZERO, client * 1_000_000);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let request = http.post(url).bearer_auth(chancery_tests::TOKEN);
                    let request = request.header("content-type", "application/cloudevents-batch+json");
                    let begun = Instant::now();
                    let response = request.body(logins(next..next + BATCH).to_string()).send().await.unwrap();
                    let status = response.status();
                    assert_eq!(status, StatusCode::OK, "{}", response.text().await.unwrap());
                    longest = longest.max(begun.elapsed());
                    next += BATCH;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                longest
            }
        };
        let clients = futures::future::join_all((0..6).map(client));
        let servers = &mut self.servers;
        let happens = async {
            incident(servers).await;
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        };
        let (longest, ()) = tokio::join!(clients, happens);
        longest.into_iter().max().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_balancer_see_no_error_when_a_server_is_killed_stopped_or_hangs() {
    let mut behind = Behind::start(vec![Host::loopback(); 3]).await;
    let pause = async || tokio::time::sleep(Duration::from_secs(1)).await;
    let longest = behind
        .sends(async |servers| {
            for server in servers {
                pause().await;
                server.kill();
                pause().await;
                server.restart().await;
                server.ready().await;
                pause().await;
                assert!(server.stop());
                server.restart().await;
                server.ready().await;
            }
            pause().await;
        })
        .await;
    assert!(longest < Duration::from_secs(8), "{longest:?}");
    let longest = behind
        .sends(async |servers| {
            pause().await;
            servers[0].pause();
            tokio::time::sleep(Duration::from_secs(14)).await;
            servers[0].resume();
            pause().await;
        })
        .await;
    assert!(longest < Duration::from_secs(14), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_cut_off_and_comes_back() {
    let mut network = Network::start();
    let mut behind = Behind::start(vec![network.add(), network.add()]).await;
    let cut = behind.servers[0].host().clone();
    let longest = behind
        .sends(async |servers| {
            network.cut(&cut);
            tokio::time::sleep(Duration::from_secs(3)).await;
            let probe = Client::builder().timeout(Duration::from_secs(1)).build().unwrap();
            assert!(probe.get(format!("{}/healthz", servers[0].url)).send().await.is_err());
            network.mend(&cut);
            servers[0].ready().await;
        })
        .await;
    assert!(longest < Duration::from_secs(14), "{longest:?}");
}
