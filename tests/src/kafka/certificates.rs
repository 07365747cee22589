//! A certificate authority of the broker's own.

use std::path::Path;
use std::process::{Command, Stdio};

/// Makes `ca.pem`, and `broker.pem` with key and certificate of a broker at this address, unless they are there.
pub(super) fn make(directory: &Path, address: &str) {
    if directory.join("broker.pem").exists() {
        return;
    }
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        let done = command.args(arguments).current_dir(directory).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(done.is_ok_and(|status| status.success()), "openssl {arguments:?} fails");
    };
    let authority = ["req", "-x509", "-days", "3650", "-subj", "/CN=Authority of a test"];
    openssl(&[&authority[..], &key, &["-keyout", "ca.key", "-out", "ca.pem"]].concat());
    openssl(&[&["req", "-subj", "/CN=broker"][..], &key, &["-keyout", "broker.key", "-out", "broker.csr"]].concat());
    let names = format!("subjectAltName=IP:{address},IP:127.0.0.1,DNS:localhost");
    let write = |name: &str, text: String| std::fs::write(directory.join(name), text);
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
    assert!(write("names", names).is_ok(), "the directory cannot be written to");
    let sign = ["x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(&[&sign[..], &["-days", "3650", "-extfile", "names", "-out", "broker.crt"]].concat());
    let both = read("broker.key") + &read("broker.crt");
    assert!(write("broker.pem", both).is_ok(), "the directory cannot be written to");
}
