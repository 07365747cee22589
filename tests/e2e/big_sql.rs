//! Engines for bigger questions read the lake as it stands: Apache Spark with several executor processes, and
//! DuckDB. Both give Chancery's own answers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chancery_tests::{Server, pyspark, python};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Audit questions that three engines understand alike.
const QUESTIONS: [&str; 7] = [
    "SELECT count(*) FROM events",
    "SELECT count(*) FROM events WHERE type = 'user.login.failed' AND action = 'login'",
    "SELECT id FROM events ORDER BY occurred_at DESC, position DESC LIMIT 50",
    "SELECT actor_ip, count(*) AS n FROM events WHERE outcome = 'denied' GROUP BY actor_ip ORDER BY n DESC, actor_ip NULLS LAST LIMIT 20",
    "SELECT actor_ip, count(DISTINCT actor_name) AS n FROM events WHERE type = 'user.login.failed' GROUP BY actor_ip ORDER BY n DESC, actor_ip NULLS LAST LIMIT 20",
    "SELECT CAST(date_trunc('day', occurred_at) AS DATE) AS day, type, count(*) AS n FROM events GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT id FROM events WHERE lower(resource_name) LIKE '%a%' ORDER BY position LIMIT 20",
];

const SPARK: &str = r#"
import json, sys
from pyspark.sql import SparkSession
from delta import configure_spark_with_delta_pip
builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("audit")
for name, value in {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "4", "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
}.items():
    builder = builder.config(name, value)
spark = configure_spark_with_delta_pip(builder).getOrCreate()
events = spark.read.format("delta").load(sys.argv[1] + "/lake").where("position <= " + sys.argv[2])
events.createOrReplaceTempView("events")
answers = [[list(row) for row in spark.sql(question).collect()] for question in json.loads(sys.argv[3])]
executors = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
spark.stop()
print(json.dumps({"answers": answers, "executors": executors}, default=str))
"#;

const DUCKDB: &str = r#"
import json, sys, duckdb
from deltalake import DeltaTable
files = DeltaTable(sys.argv[1] + "/lake").file_uris()
duckdb.execute("SET TimeZone = 'UTC'")
duckdb.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet({files!r}) WHERE position <= {sys.argv[2]}")
answers = [[list(row) for row in duckdb.execute(question).fetchall()] for question in json.loads(sys.argv[3])]
print(json.dumps({"answers": answers}, default=str))
"#;

fn ask(interpreter: &Path, script: &str, directory: &Path, position: u64) -> Value {
    let output = Command::new(interpreter)
        .args(["-c", script])
        .arg(directory)
        .args([position.to_string(), json!(QUESTIONS).to_string()])
        .env("SPARK_LOCAL_IP", "127.0.0.1")
        .output()
        .unwrap();
    let answer = String::from_utf8_lossy(&output.stdout);
    let answer = answer.lines().last().and_then(|line| serde_json::from_str(line).ok());
    answer.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn spark_and_duckdb_give_chancerys_answers() {
    let directory = TempDir::new().unwrap();
    let events = directory.path().join("company.ndjson");
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut server = Server::start_in(&data, &[("CHANCERY_LAKE_BATCH_SECONDS", "1")]).await;
    let generated = server.run(&["generate", "--users", "40", "--days", "7"]);
    std::fs::write(&events, generated.stdout).unwrap();
    let imported = server.run(&["import", "cloudevents", events.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let position = server.get("/api/v1/consumers", &[]).await["head"].as_u64().unwrap();
    while server.get("/api/v1/lake", &[]).await["watermark"].as_u64() < Some(position) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut answers = Vec::new();
    for question in QUESTIONS {
        let bounded = question
            .replace("FROM events", &format!("FROM (SELECT * FROM events WHERE position <= {position}) AS events"));
        let request = server.request(Method::POST, "/api/v1/audit/sql").json(&json!({"query": bounded}));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{question}: {answer}");
        answers.push(answer["rows"].clone());
    }
    assert!(server.stop());
    let (by_spark, by_duckdb) = (ask(&pyspark(), SPARK, &data, position), ask(&python(), DUCKDB, &data, position));
    assert_eq!(by_spark["executors"], 2);
    for (index, question) in QUESTIONS.iter().enumerate() {
        assert_eq!(by_spark["answers"][index], answers[index], "Spark: {question}");
        assert_eq!(by_duckdb["answers"][index], answers[index], "DuckDB: {question}");
    }
}
