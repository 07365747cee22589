//! The same files are the same bytes.

use proptest::prelude::*;

use super::*;
use crate::{File, digest};

#[test]
fn an_archive_is_read_whichever_way_it_was_packed() {
    let archive = files(&[("./main.tf", "a = 1\n"), ("modules/x/main.tf", ""), ("build.sh", "#!/bin/sh\n")]);
    let read_plain = unpack(&archive).unwrap();
    let paths: Vec<&str> = read_plain.iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["build.sh", "main.tf", "modules/x/main.tf"]);
    assert_eq!(read_plain.get("main.tf").unwrap().content, b"a = 1\n");
    let compressed = gzip(&archive);
    assert_eq!(read(&compressed, Packing::Gzip, &Limits::default()).unwrap(), read_plain);
    // Several members, as pigz and concatenation make them.
    let (first, second) = archive.split_at(700);
    let members = [gzip(first), gzip(second)].concat();
    assert_eq!(read(&members, Packing::Gzip, &Limits::default()).unwrap(), read_plain);
    for (bytes, packing) in [(&archive, Packing::Gzip), (&compressed, Packing::Tar)] {
        let error = read(bytes, packing, &Limits::default()).unwrap_err();
        assert!(matches!(error, ArchiveError::Unreadable { .. }), "{error}");
    }
}

#[test]
fn order_times_owners_and_packing_change_nothing_but_what_is_in_the_files_does() {
    let pack = |archive: &[u8]| digest(&unpack(archive).unwrap().pack().unwrap());
    let first = pack(&files(&[("b.tf", "b"), ("a.tf", "a")]));
    let mut later = header(b"a.tf", EntryType::Regular, 1);
    later.set_mtime(1_700_000_000);
    later.set_uid(1000);
    later.set_mode(0o664);
    later.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header(b"d", EntryType::Directory, 0), &b""[..]).unwrap();
    builder.append(&later, &b"a"[..]).unwrap();
    builder.append(&header(b"b.tf", EntryType::Regular, 1), &b"b"[..]).unwrap();
    assert_eq!(pack(&builder.into_inner().unwrap()), first);
    assert_ne!(pack(&files(&[("b.tf", "b"), ("a.tf", "c")])), first);
    let mut runs = header(b"a.tf", EntryType::Regular, 1);
    runs.set_mode(0o755);
    runs.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&runs, &b"a"[..]).unwrap();
    builder.append(&header(b"b.tf", EntryType::Regular, 1), &b"b"[..]).unwrap();
    assert_ne!(pack(&builder.into_inner().unwrap()), first, "whether a file may be run is part of it");
}

#[test]
fn what_git_archive_makes_is_read() {
    let remark = b"52 comment=0123456789012345678901234567890123456789\n";
    let archive = tar(&[
        ("pax_global_header", EntryType::XGlobalHeader, remark),
        ("modules/", EntryType::Directory, b""),
        ("modules/main.tf", EntryType::Regular, b""),
        ("main.tf", EntryType::Regular, b""),
    ]);
    assert_eq!(unpack(&archive).unwrap().len(), 2);
}

proptest! {
    #[test]
    fn what_is_packed_is_read_back_the_same(
        given in prop::collection::btree_map("[a-z]{1,9}(/[a-z]{1,40}){0,3}", (prop::collection::vec(any::<u8>(), 0..600), any::<bool>()), 0..8),
    ) {
        let mut files = Files::default();
        for (path, (content, executable)) in given {
            // A file cannot be a directory, too.
            let clashes = |other: &str| other.starts_with(&format!("{path}/")) || path.starts_with(&format!("{other}/"));
            if !files.iter().any(|(other, _)| clashes(other)) {
                files.insert(path, File { content, executable });
            }
        }
        let packed = files.pack().unwrap();
        prop_assert_eq!(&unpack(&packed).unwrap(), &files);
        prop_assert_eq!(unpack(&packed).unwrap().pack().unwrap(), packed);
    }

    #[test]
    fn nothing_makes_it_panic(mut archive in prop::collection::vec(any::<u8>(), 0..2048), at in 0usize..512, byte in any::<u8>()) {
        drop(unpack(&archive));
        drop(read(&archive, Packing::Gzip, &Limits::default()));
        archive = files(&[("main.tf", "a = 1")]);
        archive[at] = byte;
        drop(unpack(&archive));
    }
}
