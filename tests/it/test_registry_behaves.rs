//! Without rules the test registry does what the distribution specification says: what the conformance suite does not look at,
//! and what it must keep doing while nobody runs the suite.

use serde_json::{Value, json};

use crate::support::hex;
use crate::talk::{Talk, ask};
use crate::test_registry::{DigestHeader, Options, TestRegistry};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const BLOB: &[u8] = b"0123456789";

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

/// The `code` of an error.
fn code(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).expect("JSON");
    body["errors"][0]["code"]
        .as_str()
        .expect("a code")
        .to_owned()
}

/// A manifest without layers over a config that `registry` holds in `a`.
fn manifest(registry: &TestRegistry) -> Vec<u8> {
    let config = registry.put_blob("a", b"{}");
    json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2}})
    .to_string()
    .into_bytes()
}

#[test]
fn what_is_pushed_can_be_pulled() {
    let registry = TestRegistry::start();
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/team/app/blobs/uploads/", &[], b"");
    assert_eq!((begun.status, registry.open_uploads()), (202, 1));
    let origin = format!("http://{}/v2/", registry.host());
    assert!(
        begun
            .header("location")
            .is_some_and(|to| to.starts_with(&origin))
    );
    let put = format!("PUT {}&digest={}", begun.location(), digest(BLOB));
    let put = talk.ask(&put, &[], BLOB);
    assert_eq!((put.status, registry.open_uploads()), (201, 0));
    let got = talk.ask(&format!("GET {}", put.location()), &[], b"");
    assert_eq!((got.status, got.body.as_slice()), (200, BLOB));
    assert_eq!(
        registry.blob("team/app", &digest(BLOB)).as_deref(),
        Some(BLOB)
    );
    assert_eq!(registry.blobs("team/app"), [digest(BLOB)]);
}

#[test]
fn bytes_with_another_digest_are_refused() {
    let registry = TestRegistry::start();
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"");
    let put = format!("PUT {}&digest={}", begun.location(), digest(b"others"));
    let put = talk.ask(&put, &[], BLOB);
    assert_eq!(
        (put.status, code(&put.body).as_str()),
        (400, "DIGEST_INVALID")
    );
    assert_eq!(registry.blobs("a"), Vec::<String>::new());
}

#[test]
fn chunks_come_in_order_or_not_at_all() {
    let registry = TestRegistry::start();
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"");
    let patch = |from: &str, range: &str| (format!("PATCH {from}"), range.to_owned());
    let mut send = |(line, range): (String, String), bytes: &[u8]| {
        talk.ask(&line, &[("Content-Range", &range)], bytes)
    };
    let first = send(patch(&begun.location(), "0-3"), b"0123");
    assert_eq!((first.status, first.header("range")), (202, Some("0-3")));
    let gap = send(patch(&first.location(), "5-9"), b"56789");
    assert_eq!(gap.status, 416);
    let again = send(patch(&begun.location(), "0-3"), b"0123");
    assert_eq!(again.status, 416);
    let asked = talk.ask(&format!("GET {}", begun.location()), &[], b"");
    assert_eq!((asked.status, asked.header("range")), (204, Some("0-3")));
    let put = format!("PUT {}&digest={}", asked.location(), digest(BLOB));
    assert_eq!(
        talk.ask(&put, &[("Content-Range", "4-9")], b"456789")
            .status,
        201
    );
}

#[test]
fn a_body_in_chunks_of_http_is_put_together() {
    let registry = TestRegistry::start();
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"");
    let put = format!("PUT {}&digest={}", begun.location(), digest(BLOB));
    let body = b"4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\nTrailer: x\r\n\r\n";
    assert_eq!(
        talk.ask(&put, &[("Transfer-Encoding", "chunked")], body)
            .status,
        201
    );
    // The connection goes on after it.
    assert_eq!(talk.ask("GET /v2/", &[], b"").status, 200);
}

#[test]
fn a_client_that_waits_for_a_go_ahead_gets_it() {
    let registry = TestRegistry::start();
    let mut talk = Talk::to(&registry.host());
    let line = format!("POST /v2/a/blobs/uploads/?digest={}", digest(BLOB));
    let head = "Host: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    talk.write(format!("{line} HTTP/1.1\r\n{head}").as_bytes())
        .expect("sent");
    assert_eq!(talk.reply(false).expect("a go-ahead").status, 100);
    talk.write(BLOB).expect("sent");
    assert_eq!(talk.reply(false).expect("an answer").status, 201);
}

#[test]
fn a_location_whose_query_was_not_given_back_is_refused() {
    let registry = TestRegistry::start();
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"").location();
    let (path, query) = begun.split_once('?').expect("a query");
    assert!(query.contains("%2B"), "{query}");
    let decoded = query.replace("%2B", "+");
    for query in ["", &decoded] {
        let put = format!("PUT {path}?{query}&digest={}", digest(BLOB));
        let put = talk.ask(&put, &[], BLOB);
        assert_eq!(
            (put.status, code(&put.body).as_str()),
            (404, "BLOB_UPLOAD_INVALID")
        );
    }
}

#[test]
fn an_upload_can_be_cancelled() {
    let registry = TestRegistry::start();
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"").location();
    let delete = format!("DELETE {begun}");
    let statuses = [1, 2].map(|_| talk.ask(&delete, &[], b"").status);
    assert_eq!((statuses, registry.open_uploads()), ([204, 404], 0));
}

#[test]
fn a_mount_finds_a_blob_of_another_repository() {
    let registry = TestRegistry::start();
    let blob = registry.put_blob("from", BLOB);
    let mut talk = Talk::to(&registry.host());
    let mut mount = |name: &str, rest: &str| {
        let line = format!("POST /v2/{name}/blobs/uploads/?mount={blob}{rest}");
        talk.ask(&line, &[], b"").status
    };
    assert_eq!(mount("one", "&from=from"), 201);
    assert_eq!(mount("two", ""), 201);
    assert_eq!(mount("three", "&from=elsewhere"), 202);
    assert_eq!(registry.blobs("one"), registry.blobs("two"));
    assert_eq!(registry.open_uploads(), 1);
}

#[test]
fn mounts_can_be_refused() {
    let registry = TestRegistry::with(Options {
        refuse_mounts: true,
        ..Options::default()
    });
    let blob = registry.put_blob("from", BLOB);
    let line = format!("POST /v2/to/blobs/uploads/?mount={blob}&from=from");
    let reply = ask(&registry.host(), &line);
    assert_eq!((reply.status, registry.open_uploads()), (202, 1));
    assert!(reply.location().starts_with("/v2/to/blobs/uploads/"));
}

#[test]
fn a_manifest_must_be_sound_and_its_parts_there() {
    let registry = TestRegistry::start();
    let good = manifest(&registry);
    let mut talk = Talk::to(&registry.host());
    let oci = [("Content-Type", MANIFEST)];
    let mut put = |to: &str, headers: &[(&str, &str)], bytes: &[u8]| {
        let reply = talk.ask(&format!("PUT /v2/a/manifests/{to}"), headers, bytes);
        (
            reply.status,
            if reply.status < 300 {
                String::new()
            } else {
                code(&reply.body)
            },
        )
    };
    let refused = |status, code: &str| (status, code.to_owned());
    assert_eq!(put("v1", &[], &good), refused(400, "MANIFEST_INVALID"));
    assert_eq!(put("v1", &oci, b"{"), refused(400, "MANIFEST_INVALID"));
    let other = [("Content-Type", "application/vnd.oci.image.index.v1+json")];
    assert_eq!(put("v1", &other, &good), refused(400, "MANIFEST_INVALID"));
    assert_eq!(
        put(&digest(b"x"), &oci, &good),
        refused(400, "DIGEST_INVALID")
    );
    let absent = String::from_utf8(good.clone()).expect("UTF-8");
    let absent = absent.replace(&digest(b"{}"), &digest(b"absent"));
    assert_eq!(
        put("v1", &oci, absent.as_bytes()),
        refused(400, "MANIFEST_BLOB_UNKNOWN")
    );
    assert_eq!(
        put("v1", &oci, &vec![b' '; 4 * 1024 * 1024 + 1]),
        refused(413, "MANIFEST_INVALID")
    );
    assert_eq!(registry.tags("a"), Vec::<String>::new());
    let with_parameter = [(
        "Content-Type",
        "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
    )];
    assert_eq!(put("v1", &with_parameter, &good).0, 201);
    assert_eq!(
        registry.manifest("a", "v1"),
        registry.manifest("a", &digest(&good))
    );
    assert_eq!(registry.manifest("a", "v1"), Some(good));
}

#[test]
fn a_deleted_manifest_takes_its_tags_along() {
    let registry = TestRegistry::start();
    let bytes = manifest(&registry);
    registry.put_manifest("a", "v1", MANIFEST, &bytes);
    let digest = registry.put_manifest("a", "v2", MANIFEST, &bytes);
    let mut talk = Talk::to(&registry.host());
    let mut delete = |what: &str| {
        talk.ask(&format!("DELETE /v2/a/manifests/{what}"), &[], b"")
            .status
    };
    assert_eq!((delete("v2"), delete("v2")), (202, 404));
    assert_eq!(registry.tags("a"), ["v1"]);
    assert_eq!(delete(&digest), 202);
    assert_eq!(registry.tags("a"), Vec::<String>::new());
}

#[test]
fn head_says_what_get_would_and_sends_nothing() {
    let registry = TestRegistry::start();
    let bytes = manifest(&registry);
    registry.put_manifest("a", "v1", MANIFEST, &bytes);
    let mut talk = Talk::to(&registry.host());
    let head = talk.ask("HEAD /v2/a/manifests/v1", &[], b"");
    let length = bytes.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    assert_eq!(head.header("content-type"), Some(MANIFEST));
    assert_eq!(
        head.header("docker-content-digest"),
        Some(digest(&bytes).as_str())
    );
    // Bytes of a body would be taken for this answer.
    assert_eq!(talk.ask("GET /v2/a/manifests/v1", &[], b"").body, bytes);
}

#[test]
fn a_part_of_a_blob_can_be_had() {
    let registry = TestRegistry::start();
    let blob = registry.put_blob("a", BLOB);
    let mut talk = Talk::to(&registry.host());
    let mut get = |range: &str| {
        let reply = talk.ask(&format!("GET /v2/a/blobs/{blob}"), &[("Range", range)], b"");
        let is = reply.header("content-range").unwrap_or_default().to_owned();
        (reply.status, is, reply.text())
    };
    let part = |is: &str, text: &str| (206, is.to_owned(), text.to_owned());
    assert_eq!(get("bytes=4-"), part("bytes 4-9/10", "456789"));
    assert_eq!(get("bytes=1-2"), part("bytes 1-2/10", "12"));
    assert_eq!(get("bytes=-3"), part("bytes 7-9/10", "789"));
    assert_eq!((get("bytes=10-").0, get("lines=1-").0), (416, 200));
}

#[test]
fn tags_come_in_order_and_in_pages() {
    let registry = TestRegistry::start();
    let bytes = manifest(&registry);
    for tag in ["b", "c", "a"] {
        registry.put_manifest("a", tag, MANIFEST, &bytes);
    }
    let list = |query: &str| {
        let reply = ask(&registry.host(), &format!("GET /v2/a/tags/list{query}"));
        let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let link = reply.header("link").unwrap_or_default().to_owned();
        (body["tags"].clone(), link)
    };
    assert_eq!(list(""), (json!(["a", "b", "c"]), String::new()));
    let next = "</v2/a/tags/list?n=2&last=b>; rel=\"next\"";
    assert_eq!(list("?n=2"), (json!(["a", "b"]), next.to_owned()));
    assert_eq!(list("?n=2&last=b"), (json!(["c"]), String::new()));
    assert_eq!(list("?n=0"), (json!([]), String::new()));
}

#[test]
fn names_and_digests_that_cannot_be_are_refused() {
    let registry = TestRegistry::start();
    let get = |path: &str| {
        let reply = ask(&registry.host(), &format!("GET /v2/{path}"));
        (reply.status, code(&reply.body))
    };
    let hash = "0".repeat(64);
    let cases = [
        (format!("A/blobs/sha256:{hash}"), 400, "NAME_INVALID"),
        (format!("a..b/blobs/sha256:{hash}"), 400, "NAME_INVALID"),
        (format!("a__b-c/blobs/sha256:{hash}"), 404, "BLOB_UNKNOWN"),
        (format!("a/blobs/md5:{hash}"), 400, "DIGEST_INVALID"),
        ("a/blobs/sha256:00".to_owned(), 400, "DIGEST_INVALID"),
        ("a/manifests/.x".to_owned(), 404, "MANIFEST_UNKNOWN"),
        ("a/manifests/v1".to_owned(), 404, "NAME_UNKNOWN"),
        ("a/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        ("a/referrers/v1".to_owned(), 400, "DIGEST_INVALID"),
        ("nothing".to_owned(), 404, "NAME_UNKNOWN"),
    ];
    for (path, status, code) in cases {
        assert_eq!(get(&path), (status, code.to_owned()), "{path}");
    }
    assert_eq!(ask(&registry.host(), "PATCH /v2/a/tags/list").status, 405);
}

#[test]
fn locations_can_be_relative() {
    let registry = TestRegistry::with(Options {
        relative_locations: true,
        ..Options::default()
    });
    let begun = ask(&registry.host(), "POST /v2/a/blobs/uploads/");
    let location = begun.header("location").expect("a location");
    assert!(location.starts_with("/v2/a/blobs/uploads/"), "{location}");
}

#[test]
fn a_read_only_registry_changes_nothing() {
    let registry = TestRegistry::with(Options {
        read_only: true,
        ..Options::default()
    });
    let blob = registry.put_blob("a", BLOB);
    let begun = ask(&registry.host(), "POST /v2/a/blobs/uploads/");
    assert_eq!(
        (begun.status, code(&begun.body).as_str()),
        (405, "UNSUPPORTED")
    );
    let line = format!("/v2/a/blobs/{blob}");
    assert_eq!(ask(&registry.host(), &format!("DELETE {line}")).status, 405);
    assert_eq!(ask(&registry.host(), &format!("GET {line}")).status, 200);
}

#[test]
fn blobs_can_lie_at_another_registry_that_holds_the_same() {
    let far = TestRegistry::start();
    let near = TestRegistry::with(Options {
        redirect_blobs_to: Some(far.origin()),
        contents: Some(far.contents()),
        ..Options::default()
    });
    let blob = near.put_blob("a", BLOB);
    let line = format!("GET /v2/a/blobs/{blob}");
    let sent = ask(&near.host(), &line);
    assert_eq!(sent.status, 307);
    assert_eq!(
        sent.header("location"),
        Some(format!("{}/v2/a/blobs/{blob}", far.origin()).as_str())
    );
    assert_eq!(ask(&far.host(), &line).body, BLOB);
    assert_eq!((near.requests().len(), far.requests().len()), (1, 1));
}

#[test]
fn it_can_be_where_another_registry_keeps_its_blobs() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir_all(directory.path().join("store/a")).expect("made");
    std::fs::write(directory.path().join("secret"), "no").expect("written");
    std::fs::write(directory.path().join("store/a/data"), BLOB).expect("written");
    let registry = TestRegistry::with(Options {
        files: Some(directory.path().join("store")),
        ..Options::default()
    });
    let mut talk = Talk::to(&registry.host());
    assert_eq!(talk.ask("GET /a/data?sign=x", &[], b"").body, BLOB);
    let part = talk.ask("GET /a/data", &[("Range", "bytes=8-")], b"");
    assert_eq!((part.status, part.text().as_str()), (206, "89"));
    assert_eq!(talk.ask("GET /../secret", &[], b"").status, 404);
    assert_eq!(talk.ask("GET /absent", &[], b"").status, 404);
    assert_eq!(talk.ask("GET /v2/", &[], b"").status, 200);
}

#[test]
fn digests_in_headers_can_be_wrong_empty_or_missing() {
    let says = |kind| {
        let registry = TestRegistry::with(Options {
            digest_header: kind,
            ..Options::default()
        });
        let blob = registry.put_blob("a", BLOB);
        let reply = ask(&registry.host(), &format!("HEAD /v2/a/blobs/{blob}"));
        let said = reply
            .headers
            .iter()
            .find(|(name, _)| name == "Docker-Content-Digest");
        said.map(|(_, value)| (value.len(), *value == blob))
    };
    assert_eq!(says(DigestHeader::Right), Some((71, true)));
    assert_eq!(says(DigestHeader::Wrong), Some((71, false)));
    assert_eq!(says(DigestHeader::Missing), None);
}

#[test]
fn an_upload_may_hang_on_its_cookie() {
    let registry = TestRegistry::with(Options {
        cookies: true,
        ..Options::default()
    });
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"");
    let put = format!("PUT {}&digest={}", begun.location(), digest(BLOB));
    assert_eq!(talk.ask(&put, &[], BLOB).status, 404);
    let cookie = begun.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a pair");
    assert_eq!(talk.ask(&put, &[("Cookie", cookie)], BLOB).status, 201);
}

#[test]
fn the_least_size_of_chunks_is_said_and_held() {
    let registry = TestRegistry::with(Options {
        least_chunk: Some(4),
        ..Options::default()
    });
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"");
    assert_eq!(begun.header("oci-chunk-min-length"), Some("4"));
    let patch = format!("PATCH {}", begun.location());
    let short = talk.ask(&patch, &[("Content-Range", "0-2")], b"012");
    assert_eq!(short.status, 202);
    let patch = format!("PATCH {}", short.location());
    assert_eq!(
        talk.ask(&patch, &[("Content-Range", "3-6")], b"3456")
            .status,
        416
    );
}

#[test]
fn it_listens_on_ipv6() {
    let registry = TestRegistry::with(Options {
        ipv6: true,
        ..Options::default()
    });
    assert!(registry.host().starts_with("[::1]:"));
    assert_eq!(ask(&registry.host(), "GET /v2/").status, 200);
}

#[test]
fn uploads_at_the_same_time_are_counted() {
    let registry = TestRegistry::start();
    let mut talks = [1, 2, 3].map(|_| Talk::to(&registry.host()));
    for talk in &mut talks {
        let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"");
        let head = format!("PUT {}&digest={}", begun.location(), digest(BLOB));
        talk.write(format!("{head} HTTP/1.1\r\nContent-Length: 10\r\n\r\n").as_bytes())
            .expect("sent");
    }
    while registry.requests().len() < 6 {
        std::thread::yield_now();
    }
    for talk in &mut talks {
        talk.write(BLOB).expect("sent");
        assert_eq!(talk.reply(false).expect("an answer").status, 201);
    }
    assert_eq!(registry.most_at_once(), 3);
}

#[test]
fn a_large_blob_is_kept_whole() {
    let registry = TestRegistry::start();
    let bytes: Vec<u8> = (0..33 * 1024 * 1024u32)
        .map(|at| at.to_le_bytes()[1])
        .collect();
    let mut talk = Talk::to(&registry.host());
    let begun = talk.ask("POST /v2/a/blobs/uploads/", &[], b"");
    let half = bytes.len() / 2;
    let first = talk.ask(&format!("PATCH {}", begun.location()), &[], &bytes[..half]);
    let put = format!("PUT {}&digest={}", first.location(), digest(&bytes));
    assert_eq!(talk.ask(&put, &[], &bytes[half..]).status, 201);
    let get = format!("GET /v2/a/blobs/{}", digest(&bytes));
    assert!(talk.ask(&get, &[], b"").body == bytes);
}
