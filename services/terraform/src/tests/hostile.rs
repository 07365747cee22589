//! Archives that are made to do harm.

use super::*;

fn name(raw: &[u8]) -> ArchiveError {
    let mut builder = Builder::new(Vec::new());
    builder.append(&header(raw, EntryType::Regular, 0), &b""[..]).unwrap();
    unpack(&builder.into_inner().unwrap()).unwrap_err()
}

#[test]
fn no_name_leads_out_or_means_different_things_to_different_readers() {
    for raw in [
        &b"/etc/passwd"[..],
        b"../main.tf",
        b"a/../../main.tf",
        b"a/..",
        b"..",
        b"./../x",
        b"a//b",
        b"a/./b",
        b"a/",
        b"..\\..\\main.tf",
        b"C:\\main.tf",
        b"line\nbreak.tf",
        b"caf\xe9.tf",
    ] {
        assert!(matches!(name(raw), ArchiveError::Name { .. }), "{}", String::from_utf8_lossy(raw));
    }
    assert_eq!(name(b"a/../../main.tf").to_string(), "the name `a/../../main.tf` leads out of the archive");
}

#[test]
fn long_names_count_as_well_however_they_are_written() {
    let long = format!("{}main.tf", "d/".repeat(8));
    let deep = format!("{}main.tf", "d/".repeat(16));
    let wide = format!("{}.tf", "x".repeat(300));
    for (path, refused) in [(long, None), (deep, Some("is too deep")), (wide, Some("is too long"))] {
        // Both ways of a name beyond a header's: GNU's and POSIX'.
        let mut gnu = Builder::new(Vec::new());
        let mut plain = header(b"x", EntryType::Regular, 0);
        gnu.append(
            &header(b"././@LongLink", EntryType::GNULongName, path.len() as u64 + 1),
            format!("{path}\0").as_bytes(),
        )
        .unwrap();
        gnu.append(&plain, &b""[..]).unwrap();
        let record = format!(" path={path}\n");
        let length = (record.len() + 2..).find(|length| format!("{length}{record}").len() == *length).unwrap();
        let record = format!("{length}{record}");
        let mut pax = Builder::new(Vec::new());
        pax.append(&header(b"pax", EntryType::XHeader, record.len() as u64), record.as_bytes()).unwrap();
        plain.set_cksum();
        pax.append(&plain, &b""[..]).unwrap();
        for archive in [gnu.into_inner().unwrap(), pax.into_inner().unwrap()] {
            match (unpack(&archive), refused) {
                (Ok(files), None) => assert!(files.contains(&path)),
                (Err(ArchiveError::Name { reason, .. }), Some(refused)) => assert_eq!(reason, refused),
                (other, _) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn only_files_and_directories_are_taken() {
    for (kind, said) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a named pipe"),
        (EntryType::Continuous, "of a kind that is not known"),
        (EntryType::GNUSparse, "a sparse file"),
        (EntryType::new(b'Z'), "of a kind that is not known"),
    ] {
        let error = unpack(&tar(&[("main.tf", kind, b"")])).unwrap_err();
        match error {
            ArchiveError::Kind { kind, .. } => assert_eq!(kind, said),
            // A sparse file needs a header that says where its holes are.
            ArchiveError::Unreadable { .. } => assert_eq!(kind, EntryType::GNUSparse),
            other => panic!("{kind:?}: {other}"),
        }
    }
}

#[test]
fn nothing_is_in_it_twice() {
    for entries in [
        [("main.tf", EntryType::Regular), ("main.tf", EntryType::Regular)],
        [("main.tf", EntryType::Regular), ("./main.tf", EntryType::Regular)],
        [("a", EntryType::Regular), ("a/main.tf", EntryType::Regular)],
        [("a/main.tf", EntryType::Regular), ("a", EntryType::Regular)],
        [("a", EntryType::Regular), ("a", EntryType::Directory)],
        [("a", EntryType::Directory), ("a", EntryType::Regular)],
    ] {
        let archive = tar(&entries.map(|(name, kind)| (name, kind, &b""[..])));
        let error = unpack(&archive).unwrap_err();
        assert!(matches!(error, ArchiveError::Unwanted { .. }), "{entries:?}: {error}");
    }
}

#[test]
fn what_terraform_leaves_behind_is_not_taken() {
    for path in ["terraform.tfstate", "x/terraform.tfstate.backup", "terraform.tfstate.1.backup", ".terraform/x"] {
        let error = unpack(&files(&[("main.tf", ""), (path, "{}")])).unwrap_err();
        assert!(matches!(error, ArchiveError::Unwanted { .. }), "{path}: {error}");
    }
    assert!(unpack(&files(&[(".terraform.lock.hcl", ""), ("notes/tfstate.md", "")])).is_ok());
}

#[test]
fn a_bomb_is_stopped_while_it_unpacks() {
    let limits = Limits { unpacked_bytes: 64 << 10, ..Limits::default() };
    // A file of zeros; zeros after the end; a name of zeros; a header that promises what is not there.
    let zeros = vec![0; 4 << 20];
    let large = tar(&[("main.tf", EntryType::Regular, &zeros)]);
    let padded = [files(&[("main.tf", "")]), zeros.clone()].concat();
    let named = tar(&[("././@LongLink", EntryType::GNULongName, &zeros), ("main.tf", EntryType::Regular, b"")]);
    for archive in [large, padded, named] {
        let compressed = gzip(&archive);
        assert!(compressed.len() < 16 << 10, "{}", compressed.len());
        assert_eq!(read(&compressed, Packing::Gzip, &limits), Err(ArchiveError::TooLarge(64 << 10)));
        assert_eq!(read(&archive, Packing::Tar, &limits), Err(ArchiveError::TooLarge(64 << 10)));
    }
    let promise = header(b"main.tf", EntryType::Regular, 1 << 40);
    assert_eq!(unpack(promise.as_bytes()), Err(ArchiveError::TooLarge(limits_of_default())));
    let many: Vec<String> = (0..2001).map(|number| format!("{number}.tf")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), "")).collect();
    assert_eq!(unpack(&files(&many)), Err(ArchiveError::TooMany(2000)));
    assert!(unpack(&files(&many[1..])).is_ok());
}

fn limits_of_default() -> u64 {
    Limits::default().unpacked_bytes
}

#[test]
fn an_archive_that_ends_early_or_goes_on_is_not_taken() {
    let whole = files(&[("main.tf", &"x".repeat(2000))]);
    for length in [100, 512, 1000, 2511] {
        let error = unpack(&whole[..length]).unwrap_err();
        assert!(matches!(error, ArchiveError::Unreadable { .. }), "{length}: {error}");
    }
    let compressed = gzip(&whole);
    let error = read(&compressed[..compressed.len() - 9], Packing::Gzip, &Limits::default()).unwrap_err();
    assert!(matches!(error, ArchiveError::Unreadable { .. }), "{error}");
    let two = [whole, files(&[("hidden.tf", "")])].concat();
    assert!(matches!(unpack(&two), Err(ArchiveError::Unreadable { .. })));
}
