//! A3 and V02: what rbuild makes runs.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::engines::{Bundle, Podman, written};
use crate::registry::{awaited, free_port};
use crate::support::{TestEnv, architecture, peer, run};

/// Tells as whom it runs, and fails in its own way.
const WITNESS: &str = r#"
fn main() {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    for line in status.lines().filter(|line| line.starts_with("Uid:") || line.starts_with("Gid:")) {
        println!("{line}");
    }
    let zone = std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").is_file();
    let roots = std::env::var("SSL_CERT_FILE").is_ok_and(|file| std::path::Path::new(&file).is_file());
    println!("zone {zone}, roots {roots}, directory {:?}", std::env::current_dir());
    std::fs::write("/tmp/mine", "x").expect("/tmp is for everybody");
    assert!(std::fs::write("/app/mine", "x").is_err(), "/app is for nobody");
    std::process::exit(7);
}
"#;

#[test]
#[ignore = "needs runc, skopeo, umoci"]
fn a3_hello_unpacked_by_umoci_runs_under_runc() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    env.rbuild(&hello, "build . --push=false --oci-layout-path out")
        .succeeds();
    let bundle = Bundle::unpack(&env, &written(&hello.join("out"), "hello"), architecture());
    assert_eq!(run(&mut bundle.run()).succeeds().stdout(), "hello, world\n");
}

#[test]
#[ignore = "needs podman, runc"]
fn a3_hello_runs_under_podman_from_a_layout_an_archive_and_a_tarball() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let outputs = "--oci-layout-path out --oci-archive archive.tar --tarball docker.tar";
    env.rbuild(&hello, &format!("build . --push=false {outputs}"))
        .succeeds();
    let podman = Podman::new(&env, &hello);
    let says = |image: &str| {
        let arguments = [
            "run",
            "--rm",
            "--read-only",
            "--cap-drop",
            "all",
            image,
            "podman",
        ];
        assert_eq!(
            run(&mut podman.command(&arguments)).succeeds().stdout(),
            "hello, podman\n"
        );
        run(&mut podman.command(&["rmi", "--all", "--force"])).succeeds();
    };
    says("oci:out:rbuild.local/hello:latest");
    for file in ["archive.tar", "docker.tar"] {
        let file = hello.join(file).display().to_string();
        run(&mut podman.command(&["load", "-i", &file])).succeeds();
        says("rbuild.local/hello:latest");
    }
}

#[test]
#[ignore = "needs podman, runc, skopeo, umoci"]
fn v02_the_exit_code_arrives_and_the_user_is_not_root() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    fs::write(hello.join("src/main.rs"), WITNESS).expect("written");
    env.rbuild(&hello, "build . --push=false --oci-layout-path out")
        .succeeds();
    let image = written(&hello.join("out"), "hello");
    let podman = run(&mut Podman::new(&env, &hello).command(&[
        "run",
        "--rm",
        "oci:out:rbuild.local/hello:latest",
    ]))
    .ends_with(7);
    let runc = run(&mut Bundle::unpack(&env, &image, architecture()).run()).ends_with(7);
    let user = "65532\t65532\t65532\t65532";
    let told = format!("Uid:\t{user}\nGid:\t{user}\nzone true, roots true, directory Ok(\"/\")\n");
    assert_eq!(podman.stdout(), told);
    assert_eq!(runc.stdout(), told);
}

#[test]
#[ignore = "needs podman, runc, skopeo, umoci, the crates of axum"]
fn a3_the_web_server_answers_under_podman_and_under_runc_and_stops_when_told() {
    let env = TestEnv::new();
    let web = env.workspace("web");
    env.rbuild(&web, "build . --push=false --oci-layout-path out")
        .succeeds();

    let podman = Podman::new(&env, &web);
    let port = free_port();
    let variable = format!("PORT={port}");
    let start = [
        "run",
        "--quiet",
        "--rm",
        "--name",
        "web",
        "--network",
        "host",
        "--env",
        &variable,
        "oci:out:rbuild.local/web:latest",
    ];
    let stop = podman.command(&["stop", "--time", "60", "web"]);
    answers(podman.command(&start), port, stop);

    let image = written(&web.join("out"), "web");
    let bundle = Bundle::unpack(&env, &image, architecture());
    let port = free_port();
    bundle.configure(|config| on_the_hosts_network(config, port));
    answers(
        bundle.run(),
        port,
        bundle.runc(&["kill", &bundle.name, "TERM"]),
    );
}

fn on_the_hosts_network(config: &mut Value, port: u16) {
    let namespaces = config["linux"]["namespaces"]
        .as_array_mut()
        .expect("a list");
    namespaces.retain(|namespace| namespace["type"] != "network");
    let variables = config["process"]["env"].as_array_mut().expect("a list");
    variables.push(json!(format!("PORT={port}")));
}

/// Starts a server, asks it over HTTP, stops it with a signal: it must end well, by itself.
fn answers(mut start: Command, port: u16, mut stop: Command) {
    let mut server = start
        .stdout(Stdio::null())
        .spawn()
        .expect("the engine is installed");
    let answer = awaited(port, "/", || server.try_wait().ok().flatten().is_some());
    let stopped = run(&mut stop);
    let status = server.wait().expect("it ends");
    let answer = answer.expect("an answer before the end");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello from rbuild\n"),
        "{answer}"
    );
    stopped.succeeds();
    assert_eq!(status.code(), Some(0));
}

#[test]
#[ignore = "needs qemu-aarch64-static, skopeo, umoci, rustup's aarch64-unknown-linux-musl"]
fn a3_the_arm64_image_of_an_archive_for_two_platforms_runs_under_qemu() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let platforms = "--platform linux/amd64,linux/arm64";
    env.rbuild(
        &hello,
        &format!("build . --push=false --oci-archive a.tar {platforms}"),
    )
    .succeeds();
    let archive = format!(
        "oci-archive:{}:rbuild.local/hello:latest",
        hello.join("a.tar").display()
    );
    let rootfs = Bundle::unpack(&env, &archive, "arm64").rootfs();
    let program = rootfs.join("app/hello").display().to_string();
    let rootfs = rootfs.display().to_string();
    let said = peer("qemu-aarch64-static", &["-L", &rootfs, &program, "qemu"]);
    assert_eq!(said.stdout(), "hello, qemu\n");
}
