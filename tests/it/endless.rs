//! L05: answers without end. What is read of them has a limit, and so has the memory that they take.

use crate::memory::watched;
use crate::support::TestEnv;
use crate::test_registry::{Action, Auth, Options, Rule, TestRegistry};

/// In KiB.
const MOST: u64 = 16 * 1024;

fn endless(status: u16) -> Action {
    let json = ("Content-Type", "application/vnd.oci.image.manifest.v1+json");
    Action::Endless {
        status,
        headers: vec![(json.0.to_owned(), json.1.to_owned())],
    }
}

/// The most memory of a run that asks for a manifest in vain, in KiB.
fn peak(registry: &TestRegistry) -> u64 {
    let env = TestEnv::new();
    let mut command = env.command(&env.path("home"));
    let name = format!("{}/team/base:v1", registry.host());
    command
        .args(["cache", "warm", &name])
        .env("RBUILD_TEST_PATIENCE", "hasty");
    let seen = watched(&mut command);
    assert_ne!(seen.run.output.status.code(), Some(0));
    assert!(seen.run.stderr().len() < 4096, "{}", seen.run.stderr());
    seen.peak
}

/// A registry that answers well to HEAD, and then as `rule` says.
fn registry(auth: Auth, rule: Rule) -> TestRegistry {
    let registry = TestRegistry::with(Options {
        auth,
        ..Options::default()
    });
    registry.put_manifest(
        "team/base",
        "v1",
        "application/vnd.oci.image.manifest.v1+json",
        b"{}",
    );
    registry.rule(rule);
    registry
}

#[test]
fn l05_endless_manifests_tokens_and_errors_cost_less_than_16_mib() {
    let manifests = || Rule::on("GET", "*/manifests/*");
    let refused = || manifests().then(Action::Status(403));
    let usual = peak(&registry(Auth::Anonymous, refused()));
    assert!(usual > 1024, "{usual} KiB");
    let open = |rule| registry(Auth::Anonymous, rule);
    for (what, registry) in [
        ("a manifest", open(manifests().then(endless(200)))),
        ("an error", open(manifests().then(endless(403)))),
        ("an error that passes", open(manifests().then(endless(503)))),
        ("a redirect", open(manifests().then(endless(307)))),
        (
            "a token",
            registry(
                Auth::token("user", "s3cret"),
                Rule::on("*", "/token").then(endless(200)),
            ),
        ),
        (
            "an error instead of a token",
            registry(
                Auth::token("user", "s3cret"),
                Rule::on("*", "/token").then(endless(403)),
            ),
        ),
    ] {
        let peak = peak(&registry);
        println!("{what}: {peak} KiB, usually {usual} KiB");
        assert!(
            peak < usual + MOST,
            "{what}: {peak} KiB, usually {usual} KiB"
        );
    }
}
