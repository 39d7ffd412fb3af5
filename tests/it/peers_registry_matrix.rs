//! B1: each registry program takes what rbuild pushes, and others get it back, for every way in which an image comes to be there.

use crate::matrix::{Desk, asked, layers_of_base, sent, start};
use crate::registry::Program;
use crate::support::{document, run, tree};
use crate::warm::{BOTH, build, replay_of_both};

/// Each sentence is tested with each program.
macro_rules! with_each_program {
    ($($sentence:ident)*) => {
        mod distribution_2 {
            use super::Program::Distribution2;
            $(#[test]
            #[ignore = "needs crane, docker-registry, podman, skopeo"]
            fn $sentence() { super::$sentence(Distribution2); })*
        }
        mod distribution_3 {
            use super::Program::Distribution3;
            $(#[test]
            #[ignore = "needs crane, podman, registry, skopeo"]
            fn $sentence() { super::$sentence(Distribution3); })*
        }
        mod crane {
            use super::Program::Crane;
            $(#[test]
            #[ignore = "needs crane, podman, skopeo"]
            fn $sentence() { super::$sentence(Crane); })*
        }
    };
}

with_each_program! {
    an_image_comes_back_as_it_was_printed_under_each_of_its_tags
    what_is_there_is_not_sent_again
    layers_of_a_base_in_the_same_registry_are_mounted
    layers_of_a_base_in_another_registry_pass_through
    an_index_over_two_platforms_comes_back
    an_image_that_was_built_offline_is_pushed_from_the_cache_and_from_a_layout
}

/// crane's registry knows no mounts, and its log tells no status.
fn is_full(program: Program) -> bool {
    program != Program::Crane
}

fn an_image_comes_back_as_it_was_printed_under_each_of_its_tags(program: Program) {
    let desk = Desk::new();
    let registry = start(program, |_| {});
    let pushed = desk
        .push(&registry.host, "-t v1,v2,latest")
        .succeeds()
        .says("sent 5 (");
    let name = format!("{}/team/hello", registry.host);
    let digest = pushed.digest();
    assert_eq!(pushed.stdout(), format!("{name}@{digest}\n"));
    desk.gets_back(&format!("{name}:v1"), &digest);
    for tag in ["v2", "latest"] {
        let known = desk.clients.crane(&["digest", &format!("{name}:{tag}")]);
        assert_eq!(known.succeeds().stdout().trim(), digest, "{tag}");
    }
    let here = ["run", "--rm", "--pull=never", &format!("{name}:v1")];
    assert_eq!(desk.podman(&here).succeeds().stdout(), "hello, world\n");
}

fn what_is_there_is_not_sent_again(program: Program) {
    let desk = Desk::new();
    let registry = start(program, |_| {});
    let name = format!("{}/team/hello", registry.host);
    let first = desk
        .push(&registry.host, "-t v1 --tag-only")
        .succeeds()
        .stdout();
    assert_eq!(first, format!("{name}:v1\n"));
    let before = registry.asked().len();
    let again = desk.push(&registry.host, "-t v1").succeeds();
    let again = again.says("there already 5");
    let digest = again.digest();
    desk.crane_gets(&format!("{name}:v1"), &digest);
    let between = registry.asked().len();
    let more = desk.push(&registry.host, "-t v1,v2").succeeds();
    assert_eq!(more.stdout(), format!("{name}@{digest}\n"));
    desk.crane_gets(&format!("{name}:v2"), &digest);
    if is_full(program) {
        let asked_again = asked(&registry, before, "team/hello");
        assert_eq!(asked_again[..1], ["HEAD manifests/v1 200"]);
        assert_eq!(between - before, 1, "{asked_again:?}");
        let put = asked(&registry, between, "team/hello");
        assert!(put.contains(&"PUT manifests/v2 201".to_owned()), "{put:?}");
        assert!(!put.iter().any(|line| line.contains("blobs/")), "{put:?}");
    }
}

fn layers_of_a_base_in_the_same_registry_are_mounted(program: Program) {
    let desk = Desk::new();
    let registry = start(program, |_| {});
    let base = desk.give_base(&registry.host);
    let pushed = desk
        .push(&registry.host, &format!("--base {base} -t v1"))
        .succeeds();
    let name = format!("{}/team/hello:v1", registry.host);
    desk.gets_back(&name, &pushed.digest());
    let layer = &layers_of_base(&desk, &base)[0];
    if is_full(program) {
        pushed.says("sent 2 (").says("mounted 1");
        let mount = format!("POST blobs/uploads/?mount={layer}&from=base 201");
        let asked = asked(&registry, 0, "team/hello");
        assert!(asked.contains(&mount), "{asked:#?}");
        assert!(!sent(&registry, 0).contains(layer), "{asked:#?}");
    }
    let held = tree(&desk.env.cache());
    let is_layer = |name: &String| name.contains(&layer["sha256:".len()..]);
    assert!(!held.iter().any(is_layer), "{held:?}");
}

fn layers_of_a_base_in_another_registry_pass_through(program: Program) {
    let desk = Desk::new();
    let (source, target) = (
        start(Program::Distribution2, |_| {}),
        start(program, |_| {}),
    );
    let base = desk.give_base(&source.host);
    let pushed = desk
        .push(&target.host, &format!("--base {base} -t v1"))
        .succeeds()
        .says("sent 3 (");
    desk.gets_back(&format!("{}/team/hello:v1", target.host), &pushed.digest());
    let layer = &layers_of_base(&desk, &base)[0];
    let fetched = format!("GET blobs/{layer} 200");
    assert_eq!(
        asked(&source, 0, "base")
            .iter()
            .filter(|line| **line == fetched)
            .count(),
        1
    );
    let held = tree(&desk.env.cache());
    let is_layer = |name: &String| name.contains(&layer["sha256:".len()..]);
    assert!(!held.iter().any(is_layer), "{held:?}");
}

fn an_index_over_two_platforms_comes_back(program: Program) {
    let desk = Desk::new();
    let registry = start(program, |_| {});
    let base = desk.give_base(&registry.host);
    let arguments = format!("{BOTH} --base {base} -t v1");
    let mut command = desk.pushing(&registry.host, &arguments);
    let pushed = run(replay_of_both().given_to(&mut command)).succeeds();
    let name = format!("{}/team/hello:v1", registry.host);
    desk.gets_back(&name, &pushed.digest());
    for platform in ["linux/amd64", "linux/arm64"] {
        let validate = ["validate", "--remote", &name, "--platform", platform];
        desk.clients.crane(&validate).succeeds();
    }
    let raw = desk.clients.crane(&["manifest", &name]).succeeds().stdout();
    assert_eq!(raw.matches("\"architecture\"").count(), 2, "{raw}");
    if is_full(program) {
        pushed.says("mounted 2");
    }
}

fn an_image_that_was_built_offline_is_pushed_from_the_cache_and_from_a_layout(program: Program) {
    let desk = Desk::new();
    let registry = start(program, |_| {});
    let name = format!("{}/team/hello", registry.host);
    let arguments = format!(
        "--repo {}/team -t v1 --oci-layout-path @/out",
        registry.host
    );
    let built = build(&desk.env, &arguments).succeeds();
    let digest = built.digest();
    let pushed = desk.rbuild(&["push", built.stdout().trim()]).succeeds();
    assert_eq!(pushed.stdout(), built.stdout());
    desk.gets_back(&format!("{name}:v1"), &digest);
    let layout = format!("oci:{}", desk.env.path("out").display());
    assert_eq!(document(&desk.env.path("out"), &digest)["schemaVersion"], 2);
    let other = format!("{}/carried/hello:v2", registry.host);
    let pushed = desk.rbuild(&["push", &layout, &other]).succeeds();
    assert_eq!(pushed.stdout(), format!("{other}@{digest}\n"));
    desk.crane_gets(&other, &digest);
}
