//! The systemd units.

use std::process::Command;

use tempfile::TempDir;

use super::{ask, deploy, expect_settings, run};

#[test]
fn systemd_accepts_the_units_and_finds_them_well_shut_in() {
    let directory = TempDir::new().unwrap();
    for unit in ["chancery.service", "chancery-cluster.service"] {
        let text = std::fs::read_to_string(deploy("systemd").join(unit)).unwrap();
        expect_settings(unit, &text);
        // A binary that is there; the rest as it is.
        let installed = "ExecStart=/usr/local/bin/chancery serve";
        assert!(text.contains(installed), "{unit}");
        let path = directory.path().join(unit);
        std::fs::write(&path, text.replace(installed, "ExecStart=/bin/true serve")).unwrap();
        let verified = ask(Command::new("systemd-analyze").arg("verify").arg(&path), b"");
        let complaint = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success() && complaint.is_empty(), "{unit}: {complaint}");
        // Exposure in tenths, of at most a hundred: what is left is that it talks over the network.
        let mut security = Command::new("systemd-analyze");
        run(security.args(["security", "--offline=true", "--no-pager", "--threshold=15"]).arg(&path), b"");
    }
}

#[test]
fn the_example_of_a_nodes_environment_has_settings_only() {
    let example = std::fs::read_to_string(deploy("systemd/cluster.env.example")).unwrap();
    expect_settings("cluster.env.example", &example);
}
