//! The Compose file, as Docker Compose reads it, and the image's Dockerfile.

use std::path::PathBuf;
use std::process::Command;

use chancery_tests::deploying;
use serde_json::{Map, Value};

use super::{ask, deploy, expect_settings, run};

/// The real Docker Compose. The package's own script forgets how it ended.
fn compose() -> Command {
    let find = "import compose, pathlib; print(pathlib.Path(compose.__file__).with_name('docker-compose'))";
    let found = run(Command::new(deploying()).args(["-c", find]), b"");
    let mut compose = Command::new(PathBuf::from(String::from_utf8(found).unwrap().trim()));
    compose.arg("--file").arg(deploy("compose/compose.yaml")).args(["--env-file", "/dev/null"]);
    compose.args(["config", "--format", "json"]);
    compose
}

/// The services whose names begin so.
fn named<'a>(services: &'a Map<String, Value>, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    services.iter().filter(move |(name, _)| name.starts_with(prefix))
}

#[test]
fn compose_has_all_parts_and_each_says_whether_it_is_well() {
    let mut config = compose();
    for (variable, value) in
        [("POSTGRES_PASSWORD", "one"), ("S3_SECRET_ACCESS_KEY", "two"), ("CHANCERY_SETUP_TOKEN", "chy_a_b")]
    {
        config.env(variable, value);
    }
    let project: Value = serde_json::from_slice(&run(&mut config, b"")).unwrap();
    let services = project["services"].as_object().unwrap();
    for (prefix, count) in [("kafka-", 3), ("chancery-", 3), ("postgres", 1), ("s3", 1), ("bucket", 1), ("haproxy", 1)]
    {
        assert_eq!(named(services, prefix).count(), count, "{prefix}");
    }
    for (name, service) in services {
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert!(service["privileged"].is_null(), "{name}");
        // One ends when it has done its work; HAProxy asks the nodes.
        let well = service["healthcheck"]["test"].is_array();
        assert!(well || ["bucket", "haproxy"].contains(&name.as_str()), "{name} has no check");
        let image = service["image"].as_str().unwrap();
        assert!(image.contains(':') && !image.ends_with(":latest"), "{name}: {image} may be anything tomorrow");
        for port in service["ports"].as_array().unwrap_or(&Vec::new()) {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name} is open to the network");
        }
    }
    for (name, broker) in named(services, "kafka-") {
        // What deploy/cluster.md asks of every installation.
        let environment = &broker["environment"];
        assert_eq!(environment["KAFKA_MIN_INSYNC_REPLICAS"], "2", "{name}");
        assert_eq!(environment["KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE"], "false", "{name}");
    }
    for (name, node) in named(services, "chancery-") {
        assert_eq!(node["environment"]["CHANCERY_NODE_NAME"], name.as_str());
        assert_eq!(node["read_only"], true);
        expect_settings(name, &node["environment"].to_string());
    }
}

#[test]
fn compose_asks_for_the_secrets_it_has_no_default_for() {
    let mut config = compose();
    for variable in ["POSTGRES_PASSWORD", "S3_SECRET_ACCESS_KEY", "CHANCERY_SETUP_TOKEN"] {
        config.env_remove(variable);
    }
    let refused = ask(&mut config, b"");
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && complaint.contains("copy .env.example to .env"), "{complaint}");
}

#[test]
fn the_dockerfile_is_what_its_linter_accepts() {
    let hadolint = deploying().with_file_name("hadolint");
    run(Command::new(hadolint).arg("--no-color").arg(deploy("docker/Dockerfile")), b"");
}
