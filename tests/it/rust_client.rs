//! oci-client, the Rust client that others wrote: it gets what rbuild pushed, and rbuild builds on what it pushed.

use futures_util::TryStreamExt;
use oci_client::client::{Client, ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::clients::Clients;
use crate::registry::{PASSWORD, USER};
use crate::support::{TestEnv, architecture, hex, run};
use crate::test_registry::{Auth, Options, TestRegistry};
use crate::warm::{blob, faults_of, pushing};

/// Anonymous, with a password, with a token; and who comes.
fn doors() -> [(Auth, RegistryAuth); 3] {
    let user = || RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned());
    [
        (Auth::Anonymous, RegistryAuth::Anonymous),
        (Auth::basic(USER, PASSWORD), user()),
        (Auth::token(USER, PASSWORD), user()),
    ]
}

fn open(auth: Auth) -> TestRegistry {
    TestRegistry::with(Options {
        auth,
        ..Options::default()
    })
}

fn client() -> Client {
    // It brings no cryptography of its own, and wants some even for http.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    })
}

fn name(registry: &TestRegistry, path: &str) -> Reference {
    let name = format!("{}/{path}", registry.host());
    name.parse().expect("a reference")
}

/// Manifest and digest of what is called so, with every blob that it names read to the end.
async fn pulled(from: &Reference, auth: &RegistryAuth) -> (Value, String) {
    let client = client();
    let (bytes, digest) = client
        .pull_manifest_raw(from, auth, &[OCI_IMAGE_MEDIA_TYPE])
        .await
        .expect("a manifest");
    assert_eq!(format!("sha256:{}", hex(&bytes)), digest);
    let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
    let layers = manifest["layers"].as_array().expect("layers").iter();
    for descriptor in layers.chain([&manifest["config"]]) {
        let descriptor: OciDescriptor =
            serde_json::from_value(descriptor.clone()).expect("a descriptor");
        let stream = client.pull_blob_stream(from, &descriptor).await;
        let chunks: Vec<_> = stream.expect("a blob").try_collect().await.expect("whole");
        let bytes = chunks.concat();
        assert_eq!(format!("sha256:{}", hex(&bytes)), descriptor.digest);
        assert_eq!(i64::try_from(bytes.len()), Ok(descriptor.size));
    }
    (manifest, digest)
}

#[test]
fn it_gets_what_rbuild_pushed() {
    let runtime = Runtime::new().expect("a runtime");
    for (auth, whom) in doors() {
        let (env, registry) = (TestEnv::new(), open(auth));
        let clients = Clients::new(&env).logged_in(&registry.host(), USER, PASSWORD);
        let arguments = format!("--repo {}/team -t v1", registry.host());
        let mut command = pushing(&env, &[], &arguments);
        let docker = clients.auth_file();
        command.env("DOCKER_CONFIG", docker.parent().expect("a directory"));
        let pushed = run(&mut command).succeeds();
        let there = name(&registry, "team/hello:v1");
        let (manifest, digest) = runtime.block_on(pulled(&there, &whom));
        assert_eq!(digest, pushed.digest());
        assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(4));
    }
}

/// One layer with one file, and the config over it.
fn base(env: &TestEnv) -> (Vec<u8>, Vec<u8>) {
    let directory = env.path("base");
    let (layer, diff_id) = crate::feed::layer(&directory, "a base of another client");
    let digest = layer["digest"].as_str().expect("a digest");
    let layer = std::fs::read(blob(&directory, digest)).expect("written");
    let config = serde_json::json!({"os": "linux", "architecture": architecture(),
        "config": {"User": "7"}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}});
    (layer, config.to_string().into_bytes())
}

#[test]
fn rbuild_builds_on_what_it_pushed() {
    let runtime = Runtime::new().expect("a runtime");
    for (auth, whom) in doors() {
        let (env, registry) = (TestEnv::new(), open(auth));
        let clients = Clients::new(&env).logged_in(&registry.host(), USER, PASSWORD);
        let there = name(&registry, "others/base:v1");
        let (layer, config) = base(&env);
        let push = async {
            let client = client();
            client
                .auth(&there, &whom, RegistryOperation::Push)
                .await
                .expect("let in");
            let layers = [ImageLayer::oci_v1_gzip(layer, None)];
            let config = Config::oci_v1(config, None);
            client
                .push(&there, &layers, config, &whom, None)
                .await
                .expect("pushed");
        };
        runtime.block_on(push);
        let arguments = format!(
            "--repo {0}/team -t v1 --base {0}/others/base:v1 --oci-layout-path @/out",
            registry.host()
        );
        let mut command = pushing(&env, &[], &arguments);
        let docker = clients.auth_file();
        command.env("DOCKER_CONFIG", docker.parent().expect("a directory"));
        let pushed = run(&mut command).succeeds().says("mounted 1");
        assert_eq!(faults_of(&env.path("out")), [""; 0]);
        let built = name(&registry, "team/hello:v1");
        let (_, digest) = runtime.block_on(pulled(&built, &whom));
        assert_eq!(digest, pushed.digest());
    }
}
