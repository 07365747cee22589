//! What OpenSSH itself makes of keys, certificates and lists.

use std::path::Path;
use std::process::Command;

use super::*;

fn authority(name: &str) -> Authority {
    Authority::new(&Seed::derive(b"a secret of this test", name).unwrap()).unwrap()
}

fn key(directory: &Path, name: &str, more: &[&str]) -> PublicKey {
    let file = directory.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-f"]).arg(&file).args(more).status().unwrap();
    assert!(made.success());
    PublicKey::read(&std::fs::read_to_string(file.with_extension("pub")).unwrap()).unwrap()
}

/// What `ssh-keygen` says, and whether it was content.
fn ssh_keygen(arguments: &[&str], file: &Path, more: &[&Path]) -> (bool, String) {
    let output = Command::new("ssh-keygen").args(arguments).arg(file).args(more).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn certificate(principals: &[String], serial: u64) -> UserCertificate<'_> {
    UserCertificate {
        key_id: "chancery/s-1/ada",
        serial,
        principals,
        valid_after: 1_790_000_000,
        valid_before: 1_790_000_300,
        source_address: Some("192.0.2.7"),
        force_command: Some("internal-sftp"),
        extensions: &["permit-pty", "permit-port-forwarding"],
    }
}

#[test]
fn openssh_reads_a_certificate_as_it_was_meant() {
    let directory = tempfile::TempDir::new().unwrap();
    let (ca, user) = (authority("one"), key(directory.path(), "user", &["-t", "ed25519"]));
    let principals = ["workspace-w".to_owned()];
    let made = ca.certify_user(&user, &certificate(&principals, 7), [1; 32]).unwrap();
    let file = directory.path().join("user-cert.pub");
    std::fs::write(&file, made).unwrap();
    let (content, said) = ssh_keygen(&["-L", "-f"], &file, &[]);
    assert!(content, "{said}");
    for part in [
        "user certificate",
        "Key ID: \"chancery/s-1/ada\"",
        "Serial: 7",
        "workspace-w",
        "source-address 192.0.2.7",
        "force-command internal-sftp",
        "permit-pty",
        "permit-port-forwarding",
        &ca.fingerprint(),
        &user.fingerprint(),
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("permit-agent-forwarding"), "{said}");

    let hosts = ["workspace-w".to_owned(), "w.example.com".to_owned()];
    let host = HostCertificate { key_id: "w", serial: 8, principals: &hosts, valid_after: 1, valid_before: 2 };
    std::fs::write(&file, ca.certify_host(&user, &host, [2; 32]).unwrap()).unwrap();
    let (content, said) = ssh_keygen(&["-L", "-f"], &file, &[]);
    assert!(content && said.contains("host certificate") && said.contains("w.example.com"), "{said}");
}

#[test]
fn openssh_knows_revoked_certificates_of_each_authority_and_no_others() {
    let directory = tempfile::TempDir::new().unwrap();
    let user = key(directory.path(), "user", &["-t", "ed25519"]);
    let principals = ["workspace-w".to_owned()];
    let mut list = RevocationList::default();
    let public = |ca: &Authority| PublicKey::read(&ca.public_key().unwrap()).unwrap();
    for (name, serial) in [("one", 3), ("one", u64::MAX), ("two", 4), ("two", 0)] {
        list.revoke(&public(&authority(name)), serial).unwrap();
    }
    let file = directory.path().join("revoked");
    std::fs::write(&file, list.encode(2, 1_790_000_000)).unwrap();
    for (name, serial, revoked) in [
        ("one", 3, true),
        ("one", u64::MAX, true),
        ("one", 4, false),
        ("two", 4, true),
        ("two", 3, false),
        ("one", 2, false),
    ] {
        let made = authority(name).certify_user(&user, &certificate(&principals, serial), [3; 32]).unwrap();
        let certificate = directory.path().join("it-cert.pub");
        std::fs::write(&certificate, made).unwrap();
        let (content, said) = ssh_keygen(&["-Q", "-f"], &file, &[&certificate]);
        assert_eq!((content, said.contains("REVOKED")), (!revoked, revoked), "{name} {serial}: {said}");
    }
    std::fs::write(&file, RevocationList::default().encode(1, 1)).unwrap();
    let (content, said) = ssh_keygen(&["-Q", "-l", "-f"], &file, &[]);
    assert!(content && said.contains("# KRL version 1"), "{said}");
}

#[test]
fn keys_follow_from_the_secret_and_their_names() {
    assert_eq!(authority("one").fingerprint(), authority("one").fingerprint());
    assert_ne!(authority("one").fingerprint(), authority("two").fingerprint());
    let other = Authority::new(&Seed::derive(b"another secret", "one").unwrap()).unwrap();
    assert_ne!(authority("one").fingerprint(), other.fingerprint());
    let seed = Seed::derive(b"a secret", "one").unwrap();
    assert_eq!((seed.pkcs8().len(), format!("{seed:?}")), (48, "Seed".to_owned()));
}

#[test]
fn openssh_takes_a_pair_that_was_drawn() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::TempDir::new().unwrap();
    let pair = KeyPair::new(&Seed::drawn([9; 32]), "ada").unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, &pair.private_key).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (content, said) = ssh_keygen(&["-y", "-f"], &file, &[]);
    assert!(content && said.trim() == pair.public_key, "{said}");
    assert!(!format!("{pair:?}").contains("PRIVATE"));
}

#[test]
fn only_strong_keys_in_good_form_are_certified() {
    let directory = tempfile::TempDir::new().unwrap();
    drop(key(directory.path(), "rsa", &["-t", "rsa", "-b", "3072"]));
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-t", "rsa", "-b", "2048", "-f"])
        .arg(directory.path().join("weak"))
        .status();
    assert!(made.unwrap().success());
    let weak = std::fs::read_to_string(directory.path().join("weak.pub")).unwrap();
    assert!(matches!(PublicKey::read(&weak), Err(SshError::Weak(_))));
    for text in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "not a key", "ssh-ed25519 AAAA\nssh-ed25519 AAAA"] {
        assert!(matches!(PublicKey::read(text), Err(SshError::NotAKey(_))), "{text}");
    }
}

#[test]
fn a_certificate_without_bounds_is_not_made() {
    let directory = tempfile::TempDir::new().unwrap();
    let (ca, user) = (authority("one"), key(directory.path(), "user", &["-t", "ed25519"]));
    let principals = ["workspace-w".to_owned()];
    let good = certificate(&principals, 7);
    for bad in [
        UserCertificate { principals: &[], ..good.clone() },
        UserCertificate { serial: 0, ..good.clone() },
        UserCertificate { valid_before: good.valid_after, ..good.clone() },
        UserCertificate { key_id: "two\nlines", ..good.clone() },
        UserCertificate { force_command: Some(""), ..good.clone() },
    ] {
        assert!(ca.certify_user(&user, &bad, [0; 32]).is_err(), "{bad:?}");
    }
    assert!(ca.certify_user(&user, &good, [0; 32]).is_ok());
}
