//! Other engines read the lake as it stands.

use std::process::Command;

use chancery_tests::{Server, python};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::logins;

#[tokio::test(flavor = "multi_thread")]
async fn python_deltalake_and_duckdb_count_what_chancery_counts() {
    let directory = TempDir::new().unwrap();
    let mut server = Server::start_in(directory.path(), &[]).await;
    server.ingest(&logins(0..5000)).await;
    let counted = server.get("/api/v1/audit/aggregate", &[("q", "source:\"/test\""), ("group_by", "type")]).await;
    assert!(server.stop());
    let script = r#"
import sys, json, duckdb
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1] + "/lake")
data = table.to_pyarrow_table()
files = table.file_uris()
question = "SELECT type, count(*) FROM {} WHERE source = '/test' GROUP BY 1 ORDER BY 2 DESC"
by_duckdb = duckdb.sql(question.format("read_parquet(%r)" % files)).fetchall()
by_deltalake = duckdb.sql(question.format("data")).fetchall()
first = json.loads(data.column("event")[0].as_py())
print(json.dumps({"duckdb": by_duckdb, "deltalake": by_deltalake, "position": min(data.column("position").to_pylist()), "id": first["id"]}))
"#;
    let output = Command::new(python()).args(["-c", script]).arg(directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["duckdb"], counted["rows"]);
    assert_eq!(answer["deltalake"], counted["rows"]);
    assert_eq!(answer["position"], json!(1));
}
