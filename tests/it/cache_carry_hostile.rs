//! `rbuild cache import` of what nobody should have written: refused with its exit code, and the cache is as it was.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::cache_carry::{cache, carried, entries, filled, img};
use crate::feed::{gzip, put, put_document};
use crate::support::{Run, TestEnv, hex, peer, run, tree};
use crate::warm::{blob, temps};

/// One member of a tar.
type Member = (EntryType, String, Vec<u8>);

fn file(name: &str, bytes: &[u8]) -> Member {
    (EntryType::Regular, name.to_owned(), bytes.to_vec())
}

fn odd(kind: EntryType, name: &str) -> Member {
    (kind, name.to_owned(), Vec::new())
}

/// The members of an export.
fn members() -> Vec<Member> {
    let (env, _) = filled();
    cache(&env, "export out").succeeds();
    let names = tree(&env.path("out")).into_iter();
    names
        .map(|name| {
            file(
                &name,
                &fs::read(env.path("out").join(&name)).expect("readable"),
            )
        })
        .collect()
}

/// A tar with names as they are given, whatever they lead to.
fn tar(members: &[Member]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (kind, name, bytes) in members {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").expect("short");
        }
        header.set_cksum();
        archive.append(&header, &bytes[..]).expect("in memory");
    }
    archive.into_inner().expect("in memory")
}

/// Imports these bytes; one that is refused leaves nothing behind.
fn import(bytes: &[u8]) -> Run {
    let env = TestEnv::new();
    fs::write(env.path("in.tar"), bytes).expect("written");
    let mut command = env.wrapped(&env.path(""), &["timeout", "60"]);
    let run = run(command.args(["cache", "import", "in.tar"]));
    let blobs = tree(&img(&env).join("blobs"));
    if run.output.status.code() != Some(0) {
        assert_eq!(blobs, [""; 0], "{}", run.stderr());
    }
    let left = temps(&env.path(""));
    assert_eq!(left, [""; 0], "{}", run.stderr());
    assert!(!run.stderr().contains("root:"), "{}", run.stderr());
    run
}

#[test]
fn members_may_come_in_any_order_and_with_any_tools_headers() {
    let good = members();
    import(&tar(&good)).succeeds();
    let mut turned = good.clone();
    turned.reverse();
    assert_eq!(turned.last().expect("some").1.as_bytes()[0], b'b');
    import(&tar(&turned)).succeeds();
    for turn in 0..good.len() {
        turned.rotate_left(turn);
        import(&tar(&turned)).succeeds();
    }
    let (env, made) = filled();
    cache(&env, "export out").succeeds();
    for format in ["gnu", "pax", "ustar", "v7"] {
        if format == "v7" {
            continue; // its names end after 99 bytes, which is enough, but not for every tar
        }
        let (out, to) = (env.path("out"), env.path("by.tar"));
        let words = [
            "-C",
            out.to_str().expect("UTF-8"),
            "-cf",
            to.to_str().expect("UTF-8"),
        ];
        let format = format!("--format={format}");
        peer("tar", &[&words[..], &[&format, "."]].concat());
        let run = import(&fs::read(&to).expect("there")).succeeds();
        assert_eq!(run.stdout(), format!("{}\n", made.index));
    }
}

#[test]
fn what_no_entry_reaches_is_not_kept() {
    let env = TestEnv::new();
    let stray = b"nobody asked for this";
    let mut all = members();
    let kept = all.len() - 2;
    all.insert(0, file(&format!("blobs/sha256/{}", hex(stray)), stray));
    all.push(file("README", b"passed over"));
    all.push(file("blobs/sha512/00", b"passed over"));
    all.push(file("blobs/sha256/short", b"passed over"));
    fs::write(env.path("in.tar"), tar(&all)).expect("written");
    cache(&env, "import in.tar").succeeds();
    assert_eq!(tree(&img(&env).join("blobs")).len(), kept);
    assert!(!blob(&img(&env), &format!("sha256:{}", hex(stray))).exists());
    assert_eq!(temps(&env.path("")), [""; 0]);
}

#[test]
fn h08_links_devices_and_names_that_lead_elsewhere_are_refused() {
    let name = format!("blobs/sha256/{}", "0".repeat(64));
    for (kind, name) in [
        (EntryType::Symlink, name.as_str()),
        (EntryType::Link, &name),
        (EntryType::Char, &name),
        (EntryType::Block, &name),
        (EntryType::Fifo, &name),
        (EntryType::Symlink, "blobs"),
        (EntryType::Symlink, "index.json"),
        (EntryType::Regular, "../index.json"),
        (EntryType::Regular, "blobs/sha256/../../../x"),
        (EntryType::Regular, "/etc/x"),
        (EntryType::Directory, "../x"),
        (EntryType::Symlink, "beside"),
        (EntryType::Fifo, "beside/pipe"),
        (EntryType::GNUSparse, &name),
    ] {
        for first in [true, false] {
            let mut all = members();
            let place = if first { 0 } else { all.len() };
            all.insert(place, odd(kind, name));
            import(&tar(&all)).ends_with(5).says(name);
        }
    }
}

#[test]
fn a_second_index_is_refused_and_a_second_copy_of_a_blob_is_harmless() {
    for (name, bytes) in [
        ("index.json", &br#"{"schemaVersion":2,"manifests":[]}"#[..]),
        ("./index.json", br#"{"schemaVersion":2,"manifests":[]}"#),
        ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
    ] {
        let mut all = members();
        all.push(file(name, bytes));
        import(&tar(&all)).ends_with(5).says("is there twice");
    }
    let all = members();
    import(&tar(&[&all[..], &all[..2]].concat())).succeeds();
}

#[test]
fn a_blob_that_is_not_what_its_name_says_is_refused_whether_it_is_reached_or_not() {
    let all = members();
    for place in 0..all.len() {
        let mut wrong = all.clone();
        if !wrong[place].1.starts_with("blobs/") {
            continue;
        }
        let last = wrong[place].2.len() - 1;
        wrong[place].2[last] ^= 1;
        import(&tar(&wrong))
            .ends_with(5)
            .says("is not what its name says");
        wrong[place].2.truncate(last);
        import(&tar(&wrong)).ends_with(5);
    }
    let stray = file(&format!("blobs/sha256/{}", "0".repeat(64)), b"x");
    import(&tar(&[&all[..], &[stray]].concat())).ends_with(5);
}

#[test]
fn a_tar_that_is_cut_off_anywhere_is_refused_even_between_two_members() {
    let whole = tar(&members());
    let content = whole.len() - 1024;
    for length in (1..content)
        .step_by(137)
        .chain((512..=content).step_by(512))
    {
        import(&whole[..length]).ends_with(5);
    }
    import(&[]).ends_with(5).says("no end");
    import(&whole[..content + 512]).succeeds();
}

#[test]
fn h10_headers_that_lie_and_names_of_megabytes_are_refused() {
    let mut long = tar(&[(
        EntryType::GNULongName,
        "././@LongLink".into(),
        vec![b'x'; 2 << 20],
    )]);
    long.splice(long.len() - 1024.., tar(&members()));
    import(&long).ends_with(5).says("no sound tar file");
    let mut sum = tar(&members());
    sum[0] ^= 1;
    import(&sum).ends_with(5).says("checksum");
    let mut huge = Header::new_gnu();
    huge.set_path(format!("blobs/sha256/{}", "1".repeat(64)))
        .expect("short");
    huge.set_size(1 << 60);
    huge.set_cksum();
    import(huge.as_bytes())
        .ends_with(8)
        .says("no blob may have more");
    huge.set_size(1 << 30);
    huge.set_cksum();
    import(huge.as_bytes()).ends_with(5).says("cut off");
    import(&[b'x'; 4096]).ends_with(5);
}

#[test]
fn packed_archives_and_docker_save_are_refused_with_what_to_do() {
    let whole = tar(&members());
    import(&gzip(&whole))
        .ends_with(2)
        .says("gzip -dc FILE | rbuild cache import -");
    import(b"\x28\xb5\x2f\xfdrest")
        .ends_with(2)
        .says("zstd -dc");
    import(b"\xfd7zXZ\0rest").ends_with(2).says("xz -dc");
    let saved = [file("manifest.json", b"[]"), file("repositories", b"{}")];
    import(&tar(&saved))
        .ends_with(2)
        .says("skopeo copy docker-archive:FILE");
    let both = [&members()[..], &saved[..]].concat();
    import(&tar(&both)).succeeds();
}

/// The members, with another `index.json`.
fn with_index(bytes: &[u8]) -> Vec<u8> {
    let mut all = members();
    all.retain(|member| member.1 != "index.json");
    all.push(file("index.json", bytes));
    tar(&all)
}

#[test]
fn h02_h06_an_index_that_is_none_or_leads_nowhere_is_refused() {
    for bytes in [
        &b""[..],
        b"{}",
        b"[]",
        b"{\"manifests\":[],\"manifests\":[]}",
        b"{\"schemaVersion\":2,\"manifests\":[]} trailing",
        b"{\"schemaVersion\":2,\"manifests\":[]}",
    ] {
        import(&with_index(bytes)).ends_with(5);
    }
    for digest in ["sha256:../../../x", "sha512:00", "sha256:ABC", ""] {
        let entry = json!({"mediaType": "x", "digest": digest, "size": 1});
        let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
        import(&with_index(index.as_bytes()))
            .ends_with(5)
            .says("lists no image");
    }
    let entry = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": format!("sha256:{}", "0".repeat(64)), "size": 1});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    import(&with_index(index.as_bytes()))
        .ends_with(5)
        .says("none of the images");
    let mut no_layout = members();
    no_layout.retain(|member| member.1 != "oci-layout");
    import(&tar(&no_layout)).ends_with(5).says("`oci-layout`");
    no_layout.push(file("oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#));
    import(&tar(&no_layout)).ends_with(8).says("newer tool");
}

#[test]
fn l_an_index_beyond_the_limits_is_refused() {
    let large = vec![b' '; (24 << 20) + 1];
    import(&with_index(&large)).ends_with(8);
    let entry =
        json!({"mediaType": "x", "digest": format!("sha256:{}", "0".repeat(64)), "size": 1});
    let many = json!({"schemaVersion": 2, "manifests": vec![entry; 100_001]}).to_string();
    import(&with_index(many.as_bytes())).ends_with(5);
}

/// A layout in which `change` was made to the documents of an image before they were written, as a tar.
fn layout_of(root: impl FnOnce(&Path) -> Value) -> Vec<u8> {
    let env = TestEnv::new();
    let layout = env.path("lay");
    let mut entry = root(&layout);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "r.example/a:1"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let mut all: Vec<Member> = tree(&layout)
        .into_iter()
        .map(|name| file(&name, &fs::read(layout.join(&name)).expect("readable")))
        .collect();
    all.push(file("index.json", index.as_bytes()));
    all.push(file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#));
    tar(&all)
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[test]
fn h04_h05_h11_documents_that_are_two_things_lie_deep_or_list_too_much_are_refused() {
    let both = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "layers": []});
    import(&layout_of(|layout| put_document(layout, "index", &both)))
        .ends_with(5)
        .says("ambiguous");
    let other = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    import(&layout_of(|layout| {
        put_document(layout, "manifest", &other)
    }))
    .ends_with(5);
    let deep = |layout: &Path| {
        let mut child = put_document(layout, "index", &other);
        for _ in 0..6 {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]});
            child = put_document(layout, "index", &index);
        }
        child
    };
    import(&layout_of(deep)).ends_with(8).says("indexes deep");
    let wide = |layout: &Path| {
        let child = put_document(layout, "index", &other);
        let index =
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": vec![child; 1_001]});
        put_document(layout, "index", &index)
    };
    import(&layout_of(wide)).ends_with(8);
}

#[test]
fn h03_a_size_that_is_not_the_blobs_is_refused() {
    for size in [0, 1, 1 << 40, u64::MAX] {
        let lying = |layout: &Path| {
            let mut config = put(layout, "application/vnd.oci.image.config.v1+json", b"{}");
            config["size"] = json!(size);
            let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []});
            let mut manifest = put_document(layout, "manifest", &manifest);
            manifest["size"] = json!(size);
            manifest
        };
        let code = import(&layout_of(lying)).output.status.code();
        assert_eq!(code, Some(5), "{size}");
    }
    let large = |layout: &Path| {
        let config = put(layout, "application/vnd.oci.image.config.v1+json", b"{}");
        let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": format!("sha256:{}", "0".repeat(64)), "size": 1_u64 << 50});
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer]});
        put_document(layout, "manifest", &manifest)
    };
    import(&layout_of(large))
        .ends_with(8)
        .says("no layer may have more");
}

#[test]
fn h12_h15_urls_are_not_asked_and_names_do_not_move_the_cursor() {
    let (env, _) = filled();
    cache(&env, "export out").succeeds();
    let mut all = entries(&env.path("out"));
    all[0]["urls"] = json!(["http://169.254.169.254/latest"]);
    all[0]["annotations"]["org.opencontainers.image.ref.name"] = json!("r.example/\u{1b}[2Ja:1");
    all[0]["annotations"]["io.containerd.image.name"] = json!("a\nb");
    let index = json!({"schemaVersion": 2, "manifests": all}).to_string();
    fs::write(env.path("out/index.json"), index).expect("written");
    let there = carried(&env, "out");
    let run = cache(&there, "import --trust-names out").succeeds();
    let said = format!("{}{}", run.stdout(), run.stderr());
    assert!(!said.contains('\u{1b}') && !said.contains("a\nb"), "{said}");
    let entered = entries(&img(&there))[0].to_string();
    assert!(!entered.contains("169.254"), "{entered}");
    assert!(cache(&there, "ls").stdout().starts_with("-\t"));
}

#[test]
fn h08_h09_a_directory_with_links_or_pipes_in_it_is_refused_and_nothing_in_it_changes() {
    let shadow = Path::new("/etc/shadow");
    let replace = |path: &Path, pipe: bool| {
        fs::remove_file(path).expect("there");
        match pipe {
            true => drop(peer("mkfifo", &[path])),
            false => symlink(shadow, path).expect("linked"),
        }
    };
    for pipe in [false, true] {
        let (env, made) = filled();
        cache(&env, "export out").succeeds();
        for digest in [&made.index, &made.image, &made.layer] {
            let there = carried(&env, "out");
            let path = blob(&there.path("out"), digest);
            replace(&path, pipe);
            let before = tree(&there.path("out"));
            let mut command = there.wrapped(&there.path(""), &["timeout", "20"]);
            let run = run(command.args(["cache", "import", "out"])).ends_with(5);
            assert!(!run.stderr().contains("root:"));
            assert!(!blob(&img(&there), digest).exists());
            assert_eq!(tree(&there.path("out")), before);
        }
    }
    let (env, _) = filled();
    cache(&env, "export out").succeeds();
    fs::rename(env.path("out/blobs"), env.path("elsewhere")).expect("moved");
    symlink(env.path("elsewhere"), env.path("out/blobs")).expect("linked");
    let there = TestEnv::new();
    let import = |from: &str| {
        let mut command = there.wrapped(&env.path(""), &["timeout", "20"]);
        run(command.args(["cache", "import", from]))
    };
    import("out").ends_with(8).says("symbolic link");
    peer("mkfifo", &[env.path("pipe")]);
    import("pipe").ends_with(2).says("rbuild cache import -");
    import("/dev/zero").ends_with(2);
    import("/proc/self/fd/0").ends_with(2);
    import("nowhere").ends_with(2).says("there is no");
    import("home").ends_with(5).says("names no image");
    assert_eq!(tree(&img(&there).join("blobs")), [""; 0]);
}

#[test]
fn a_blob_of_a_directory_that_is_not_what_its_name_says_is_the_directorys_and_not_the_caches() {
    let (env, made) = filled();
    cache(&env, "export out").succeeds();
    for digest in [&made.index, &made.image, &made.layer] {
        let there = carried(&env, "out");
        let path = blob(&there.path("out"), digest);
        let mut bytes = fs::read(&path).expect("there");
        *bytes.last_mut().expect("some") ^= 1;
        fs::remove_file(&path).expect("there");
        fs::write(&path, bytes).expect("written");
        let mut command = there.command(&there.path(""));
        let told = run(command.args(["cache", "import", "out"])).ends_with(5);
        let told = told.says("cannot import").says("is not what its name says");
        let told = told.says(&format!("{}` is not", &digest[7..]));
        let told = told.says("expected: sha256:").says("found: ");
        let told = told.says("hint: copy the directory again");
        assert!(!told.stderr().contains("cache warm"), "{}", told.stderr());
        assert!(!told.stderr().contains("rm -r"), "{}", told.stderr());
    }
}

#[test]
fn of_a_file_that_is_no_tar_it_is_said_what_an_import_reads() {
    let users = "root:x:0:0:root:/nowhere:/bin/sh\n".replace("root", "user");
    let noise = vec![0xa5; 4096];
    for bytes in [b"junk", users.repeat(40).as_bytes(), &noise] {
        import(bytes)
            .ends_with(5)
            .says("hint: an import reads an OCI layout")
            .says("`rbuild cache export`");
    }
}

#[test]
fn the_root_of_a_cache_is_told_from_its_bases() {
    let (env, _) = filled();
    let there = TestEnv::new();
    let mut command = there.command(&env.path(""));
    let refused = run(command.args(["cache", "import", "cache"])).ends_with(5);
    refused.says("rbuild cache import").says("cache/img");
}

#[test]
fn an_endless_stream_of_garbage_ends_at_once() {
    let env = TestEnv::new();
    let mut command = env.wrapped(&env.path(""), &["timeout", "20"]);
    let noise = env.path("noise");
    let mut bytes = fs::File::create(&noise).expect("made");
    bytes.write_all(&vec![0xa5; 1 << 20]).expect("written");
    command.stdin(fs::File::open(&noise).expect("opened"));
    run(command.args(["cache", "import", "-"])).ends_with(5);
}

#[test]
fn h10_h17_layers_travel_as_the_bytes_that_they_are_whatever_is_in_them() {
    let name = "../../../../tmp/rbuild-escaped";
    let evil = tar(&[
        file(name, b"x"),
        odd(EntryType::Char, "dev/x"),
        odd(EntryType::Symlink, "etc"),
    ]);
    let two_members = [gzip(&evil), gzip(&evil)].concat();
    let skipped = [&b"\x50\x2a\x4d\x18\x01\x00\x00\x00x"[..], b"no frame"].concat();
    let junk = [&gzip(&evil)[..], b"junk after it"].concat();
    let layers = [evil, two_members, skipped, junk, Vec::new()];
    let mut digests = Vec::new();
    let bytes = layout_of(|layout| {
        let config = put(
            layout,
            "application/vnd.oci.image.config.v1+json",
            br#"{"rootfs":{"diff_ids":["a","b","c","d","e"]}}"#,
        );
        let put_layer =
            |bytes: &Vec<u8>| put(layout, "application/vnd.oci.image.layer.v1.tar+gzip", bytes);
        let listed: Vec<Value> = layers.iter().map(put_layer).collect();
        digests = listed
            .iter()
            .map(|one| one["digest"].as_str().expect("one").to_owned())
            .collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": listed});
        put_document(layout, "manifest", &manifest)
    });
    let env = TestEnv::new();
    fs::write(env.path("in.tar"), bytes).expect("written");
    cache(&env, "import in.tar").succeeds();
    for (digest, layer) in digests.iter().zip(&layers) {
        assert_eq!(fs::read(blob(&img(&env), digest)).expect("there"), *layer);
    }
    cache(&env, "export out.tar").succeeds();
    assert!(!Path::new("/tmp/rbuild-escaped").exists());
}
