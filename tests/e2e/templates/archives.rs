//! Archives that are made to do harm, and files that are wrong.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn push_as(api: &Api, template: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = api.request(Method::POST, &format!("{template}/versions")).header("content-type", content_type);
    Answer::of(format!("POST {content_type}"), request.body(body).send().await.unwrap()).await
}

#[tokio::test]
async fn hostile_archives_are_refused_and_leave_nothing() {
    let server = start().await;
    let go = template(&server, "go", json!({})).await;
    let main: (&str, EntryType, &[u8]) = ("main.tf", EntryType::Regular, b"");
    let many: Vec<String> = (0..2001).map(|number| format!("f{number}.tf")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
    for (archive, status, said) in [
        (tar(&[main, ("../x", EntryType::Regular, b"")]), 400, "leads out"),
        (tar(&[main, ("/etc/cron.d/x", EntryType::Regular, b"")]), 400, "absolute"),
        (tar(&[main, ("x", EntryType::Symlink, b"")]), 400, "symbolic link"),
        (tar(&[main, ("x", EntryType::Link, b"")]), 400, "hard link"),
        (tar(&[main, ("x", EntryType::Char, b"")]), 400, "device"),
        (tar(&[main, ("x", EntryType::Fifo, b"")]), 400, "named pipe"),
        (tar(&[main, main]), 400, "twice"),
        (tar(&[main, ("terraform.tfstate", EntryType::Regular, b"{}")]), 400, "secrets"),
        (files(&many), 413, "more than 2000"),
        (files(&[("README.md", "")]), 400, "no `.tf`"),
        (b"no archive".to_vec(), 400, "cannot be read"),
        (Vec::new(), 400, "no `.tf`"),
    ] {
        let refused = push(&server, &go, "", archive).await;
        assert_eq!((refused.status.as_u16(), refused.text.contains(said)), (status, true), "{said}: {}", refused.text);
    }
    // 64 MiB of zeros in 64 KiB.
    let bomb = gzip(&tar(&[("main.tf", EntryType::Regular, &vec![0; 64 << 20])]));
    assert!(bomb.len() < 128 << 10, "{}", bomb.len());
    let refused = push_as(&server, &go, "application/gzip", bomb).await;
    assert!(refused.status == StatusCode::PAYLOAD_TOO_LARGE && refused.text.contains("unpacks"), "{}", refused.text);
    let large = push(&server, &go, "", vec![0; (8 << 20) + 1]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let json = push_as(&server, &go, "application/json", b"{}".to_vec()).await;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(server.get(&format!("{go}/versions"), &[]).await["items"], json!([]));
    assert_eq!(told(&server, &go).await, ["template.created"]);
}

#[tokio::test]
async fn mistakes_are_told_with_file_and_line_and_packing_changes_no_digest() {
    let server = start().await;
    let go = template(&server, "go", json!({})).await;
    let broken = files(&[("main.tf", "variable \"x\" {\n  type = \n}\n"), ("b.tf", "a = 1\na = 2\n")]);
    let refused = push(&server, &go, "", broken).await.expect(StatusCode::BAD_REQUEST);
    let places: Vec<(&str, u64)> = refused["mistakes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mistake| (mistake["file"].as_str().unwrap(), mistake["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(places, [("b.tf", 2), ("main.tf", 2)]);

    let plain = push(&server, &go, "", files(&[("b.tf", ""), ("main.tf", MAIN)])).await.expect(StatusCode::CREATED);
    let packed = gzip(&files(&[("./main.tf", MAIN), ("b.tf", "")]));
    let packed = push_as(&server, &go, "application/gzip", packed).await.expect(StatusCode::CREATED);
    assert_eq!(packed["sha256"], plain["sha256"]);
    assert_ne!(packed["id"], plain["id"]);
}
