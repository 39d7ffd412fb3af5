//! Plans and refusals from values alone: no cargo, no disk but a store for the bases.

use std::path::Path;

use super::*;
use crate::base::Choice;
use crate::base::{self, BaseImage, Source};
use crate::config::{Build, Config, ImageSettings};
use crate::fault::Kind;
use crate::network::Network;
use crate::plan::asked::Candidate;
use crate::plan::request::{Naming, Style};
use crate::plan::wanted::wanted;
use crate::progress::Transfers;
use crate::registry::{self, Listeners};
use crate::testing::{self, TestStore, platform};
use crate::workspace::{Bin, Package, Workspace};

fn package(name: &str, binaries: &[&str]) -> Package {
    let bin = |name: &&str| Bin {
        name: (*name).to_owned(),
        required_features: Vec::new(),
    };
    Package {
        id: format!("path+file:///w/{name}#1.0.0"),
        name: name.to_owned(),
        version: "1.0.0".into(),
        directory: PathBuf::from("/w").join(name),
        license: Some("MIT".into()),
        binaries: binaries.iter().map(bin).collect(),
        ..Package::default()
    }
}

fn workspace() -> Workspace {
    Workspace {
        root: "/w".into(),
        target_directory: "/w/target".into(),
        packages: vec![
            package("web", &["web", "admin"]),
            package("tool", &["tool"]),
        ],
        default_members: Vec::new(),
    }
}

fn request() -> Request {
    Request {
        directory: "/w".into(),
        ..Request::default()
    }
}

fn build(dir: &str, package: Option<&str>, bin: Option<&str>) -> Build {
    Build {
        dir: dir.into(),
        package: package.map(str::to_owned),
        bin: bin.map(str::to_owned),
        ..Build::default()
    }
}

/// Plans the binaries `(package, binary)` of the workspace above, with bases from `test`.
fn planned(
    test: &TestStore,
    request: &Request,
    config: &Config,
    chosen: &[(usize, &'static str)],
) -> Result<Plan> {
    let workspace = workspace();
    let asked = Asked { request, config };
    let host = platform("linux/amd64");
    let join = |(package, binary): &(usize, &'static str)| {
        let package = &workspace.packages[*package];
        wanted(
            Candidate {
                workspace: &workspace,
                package,
                binary,
            },
            asked,
            &host,
        )
    };
    let all: Vec<Wanted<'_>> = chosen.iter().map(join).collect::<Result<_>>()?;
    let shelf = testing::shelf(test);
    let mut bases = BTreeMap::new();
    let mut absent = BTreeMap::new();
    for one in &all {
        let key = one.base_key();
        let mut base = base::resolve(&one.base, Choice::of(&one.platforms), shelf)?;
        if request.network.is_some() {
            base.images.iter_mut().for_each(with_a_registry);
        }
        let layers = base
            .images
            .iter()
            .flat_map(|image| image.absent().expect("sound"));
        absent.insert(key.clone(), layers.collect());
        bases.insert(key, base);
    }
    let kodata = BTreeSet::from([PathBuf::from("/w/tool/kodata")]);
    plan(
        asked,
        &all.iter().collect::<Vec<_>>(),
        Known {
            jobs: Vec::new(),
            bases,
            absent,
            without_loader: BTreeSet::new(),
            kodata,
            registry: registry(request),
        },
    )
}

/// As if the image had been resolved with a network.
fn with_a_registry(image: &mut BaseImage) {
    if let Some(store) = image.source.store().cloned() {
        image.source = Source::Registry(store);
    }
}

fn refused(result: Result<Plan>) -> (Kind, String) {
    let error = result.expect_err("refused");
    let fault = error.downcast::<Fault>().expect("a fault");
    (
        fault.kind,
        format!(
            "{fault}\n{}\n{}",
            fault.reasons().join("\n"),
            fault.hints().join("\n")
        ),
    )
}

#[test]
fn with_nothing_said_the_image_is_static_local_and_latest() {
    let test = testing::store();
    let plan = planned(&test, &request(), &Config::default(), &[(0, "web")]).expect("a plan");
    let image = &plan.images[0];
    assert_eq!(
        (image.name.as_str(), image.tags.as_slice()),
        ("rbuild.local/web", &["latest".to_owned()][..])
    );
    assert_eq!(
        (&image.base.name, image.settings.path.as_str()),
        (&Name::Static, "/app/web")
    );
    assert_eq!(image.base.images[0].platform, platform("linux/amd64"));
    assert_eq!(
        image.settings.labels["org.opencontainers.image.licenses"],
        "MIT"
    );
    assert_eq!((&image.kodata, image.settings.created), (&None, 0));
}

#[test]
fn kodata_brings_its_variable_unless_the_user_set_it() {
    let test = testing::store();
    let plan = planned(&test, &request(), &Config::default(), &[(1, "tool")]).expect("a plan");
    assert_eq!(
        plan.images[0].kodata.as_deref(),
        Some(Path::new("/w/tool/kodata"))
    );
    assert_eq!(plan.images[0].settings.env["KO_DATA_PATH"], "/var/run/ko");
    let env = BTreeMap::from([("KO_DATA_PATH".to_owned(), "/mine".to_owned())]);
    let image = ImageSettings {
        env,
        ..ImageSettings::default()
    };
    let config = Config {
        builds: vec![Build {
            image,
            ..build("/w", None, Some("tool"))
        }],
        ..Config::default()
    };
    let plan = planned(&test, &request(), &config, &[(1, "tool")]).expect("a plan");
    assert_eq!(plan.images[0].settings.env["KO_DATA_PATH"], "/mine");
}

#[test]
fn the_entry_that_says_most_about_a_binary_is_its_own() {
    let test = testing::store();
    let named = |name: &str, build: Build| Build {
        image: ImageSettings {
            name: Some(name.to_owned()),
            ..ImageSettings::default()
        },
        ..build
    };
    let builds = vec![
        named("any", build("/w", None, None)),
        named("of-web", build("/w", Some("web"), None)),
        named("admin", build("/w", None, Some("admin"))),
    ];
    let config = Config {
        builds,
        ..Config::default()
    };
    let plan = planned(
        &test,
        &request(),
        &config,
        &[(0, "web"), (0, "admin"), (1, "tool")],
    )
    .expect("a plan");
    let names: Vec<&str> = plan
        .images
        .iter()
        .map(|image| image.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "rbuild.local/of-web",
            "rbuild.local/admin",
            "rbuild.local/any"
        ]
    );
}

#[test]
fn two_entries_that_fit_equally_are_refused_by_name() {
    let test = testing::store();
    let one = Build {
        id: Some("one".into()),
        ..build("/w/web", None, Some("web"))
    };
    let config = Config {
        builds: vec![one, build("/w/web", None, Some("web"))],
        ..Config::default()
    };
    let (kind, text) = refused(planned(&test, &request(), &config, &[(0, "web")]));
    assert_eq!(kind, Kind::Refused);
    assert!(
        text.contains("`one`") && text.contains("`builds[1]`"),
        "{text}"
    );
}

#[test]
fn a_flag_stands_over_an_override_over_the_environment_over_the_default() {
    let test = testing::store();
    let base = |request: &Request, config: &Config, chosen| {
        planned(&test, request, config, &[chosen])
            .expect("a plan")
            .images
            .remove(0)
            .base
            .name
    };
    let mut config = Config {
        default_base_image: Some("scratch".into()),
        ..Config::default()
    };
    assert_eq!(base(&request(), &config, (0, "web")), Name::Scratch);
    let with_environment = Request {
        default_base: Some(Name::Static),
        ..request()
    };
    assert_eq!(base(&with_environment, &config, (0, "web")), Name::Static);
    for key in ["web", "web/web", "web/", "./web"] {
        config.base_image_overrides = BTreeMap::from([(key.to_owned(), "scratch".to_owned())]);
        assert_eq!(
            base(&with_environment, &config, (0, "web")),
            Name::Scratch,
            "{key}"
        );
        assert_eq!(
            base(&with_environment, &config, (1, "tool")),
            Name::Static,
            "{key}"
        );
    }
    let with_flag = Request {
        base: Some(Name::Static),
        ..request()
    };
    assert_eq!(base(&with_flag, &config, (0, "web")), Name::Static);
}

#[test]
fn what_the_configuration_says_of_binaries_that_are_not_there_is_noticed() {
    let names = ["web", "web/admin", "nobody", "web/nobody"];
    let base_image_overrides = names
        .iter()
        .map(|name| ((*name).to_owned(), "scratch".to_owned()))
        .collect();
    let builds = vec![
        build("/w", Some("web"), None),
        build("/w", Some("wbe"), None),
    ];
    let config = Config {
        base_image_overrides,
        builds,
        ..Config::default()
    };
    let asked = Asked {
        request: &request(),
        config: &config,
    };
    assert_eq!(
        asked.idle(&[&workspace()]),
        [
            "`nobody` in baseImageOverrides names no binary here",
            "`web/nobody` in baseImageOverrides names no binary here",
            "`builds[1]` in builds fits no binary here"
        ]
    );
}

#[test]
fn the_override_that_says_most_is_the_binarys_own() {
    let test = testing::store();
    let of = |keys: &[(&str, &str)]| {
        let pair = |(key, base): &(&str, &str)| ((*key).to_owned(), (*base).to_owned());
        let config = Config {
            base_image_overrides: keys.iter().map(pair).collect(),
            ..Config::default()
        };
        planned(&test, &request(), &config, &[(0, "admin")])
            .expect("a plan")
            .images
            .remove(0)
            .base
            .name
    };
    assert_eq!(
        of(&[("web", "builtin:static"), ("web/admin", "scratch")]),
        Name::Scratch
    );
    assert_eq!(
        of(&[("web/admin", "scratch"), ("web/web", "builtin:static")]),
        Name::Scratch
    );
}

#[test]
fn features_of_a_build_are_added_to_those_that_were_typed() {
    let config = Config {
        builds: vec![Build {
            features: vec!["tls".into()],
            ..build("/w", None, Some("web"))
        }],
        ..Config::default()
    };
    let mut request = request();
    request.cargo.selection.features.names = vec!["json".into()];
    let asked = Asked {
        request: &request,
        config: &config,
    };
    assert_eq!(asked.features(config.builds.first()).names, ["json", "tls"]);
}

#[test]
fn platforms_come_from_the_request_else_the_configuration_each_once() {
    let test = testing::store();
    let list = |names: &[&str]| Platforms::read(names).expect("platforms");
    let config = Config {
        default_platforms: list(&["linux/arm64", "linux/386", "linux/arm64"]),
        ..Config::default()
    };
    let of = |request: &Request| {
        let plan = planned(&test, request, &config, &[(0, "web")]).expect("a plan");
        plan.images[0]
            .base
            .images
            .iter()
            .map(|image| image.platform.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&request()), ["linux/arm64", "linux/386"]);
    assert_eq!(
        of(&Request {
            platforms: list(&["linux/amd64"]),
            ..request()
        }),
        ["linux/amd64"]
    );
}

/// The way to registries that a request has.
fn registry(request: &Request) -> Option<Registry> {
    let listeners = Listeners {
        notes: crate::notes::Notes::recorded(),
        transfers: Transfers::unwatched(),
    };
    Some(Registry::connect(
        request.network?,
        registry::Settings::default(),
        listeners,
    ))
}

/// A request that pushes to `repository`.
fn push_to(repository: Option<&str>) -> Request {
    Request {
        push: true,
        network: Network::unless(false),
        naming: Naming {
            repository: repository.map(str::to_owned),
            ..Naming::default()
        },
        ..request()
    }
}

#[test]
fn a_push_is_the_last_target_and_each_name_is_shown() {
    let test = testing::store();
    let mut request = push_to(Some("r.example/team"));
    request.naming.tags = vec!["v1".into(), "v2".into()];
    request.targets = vec![Target::Archive("/a.tar".into())];
    let plan = planned(&test, &request, &Config::default(), &[(0, "web")]).expect("a plan");
    assert!(matches!(
        plan.targets.as_slice(),
        [Target::Archive(_), Target::Registry(_)]
    ));
    let shown = plan.to_string();
    let end = "write archive /a.tar\npush r.example/team/web:v1\npush r.example/team/web:v2\n";
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn a_push_without_a_repository_is_refused_with_the_ways_out() {
    for nowhere in [None, Some(""), Some("rbuild.local"), Some("rbuild.local/x")] {
        let error = look(&push_to(nowhere)).expect_err("refused");
        let fault = error.downcast::<Fault>().expect("a fault");
        assert_eq!(fault.kind, Kind::Refused);
        assert_eq!(fault.to_string(), "no repository to push to");
        let hints = fault.hints().join(" ");
        for way in ["RBUILD_REPO=", "--repo ", "--push=false"] {
            assert!(hints.contains(way), "{hints}");
        }
    }
    look(&push_to(Some("r.example"))).expect("a registry is enough");
}

#[test]
fn an_offline_push_is_refused_and_cannot_be_written_down() {
    let test = testing::store();
    let offline = Request {
        network: None,
        ..push_to(Some("r.example/team"))
    };
    let (kind, text) = refused(look(&offline).map(|()| unreachable!("refused")));
    assert_eq!(kind, Kind::Refused);
    assert!(
        text.contains("the run is offline") && text.contains("--push=false"),
        "{text}"
    );
    let (kind, again) = refused(planned(&test, &offline, &Config::default(), &[(0, "web")]));
    assert_eq!((kind, again), (Kind::Refused, text));
    let kept = Request {
        push: false,
        ..offline
    };
    let plan = planned(&test, &kept, &Config::default(), &[(0, "web")]).expect("a plan");
    assert!(plan.targets.is_empty() && plan.registry().is_none());
}

#[test]
fn a_push_is_not_refused_for_layers_that_are_not_here() {
    let test = testing::store();
    let digest = testing::two_platforms(&test.store, false).digest;
    let name = Name::parse(&format!("r.example/base@{digest}"), Path::new("/")).expect("a name");
    let request = Request {
        base: Some(name),
        ..push_to(Some("r.example/team"))
    };
    let plan = planned(&test, &request, &Config::default(), &[(0, "web")]).expect("a plan");
    assert!(plan.registry().is_some());
}

#[test]
fn names_are_the_same_whether_they_are_pushed_or_not() {
    let test = testing::store();
    let mut request = push_to(Some("R.example/team"));
    request.naming.style = Style::Path;
    let config = Config {
        builds: vec![Build {
            image: ImageSettings {
                name: Some("Web.App".into()),
                ..ImageSettings::default()
            },
            ..build("/w", None, Some("web"))
        }],
        ..Config::default()
    };
    let name = |request: &Request| {
        let plan = planned(&test, request, &config, &[(0, "web")]).expect("a plan");
        plan.images[0].name.clone()
    };
    let pushed = name(&request);
    request.push = false;
    assert_eq!(pushed, "r.example/team/web/web.app");
    assert_eq!(name(&request), pushed);
}

#[test]
fn a_tarball_of_two_platforms_is_refused_and_the_archive_is_named() {
    let test = testing::store();
    let platforms = Platforms::These(vec![platform("linux/amd64"), platform("linux/arm64")]);
    let request = Request {
        platforms,
        targets: vec![Target::Tarball("/t.tar".into())],
        ..request()
    };
    let (kind, text) = refused(planned(&test, &request, &Config::default(), &[(0, "web")]));
    assert_eq!(kind, Kind::Refused);
    assert!(text.contains("--oci-archive"), "{text}");
}

#[test]
fn o07_layers_that_an_output_needs_and_that_are_not_here_are_each_named() {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, false);
    let base =
        Name::parse(&format!("r.example/base@{}", index.digest), Path::new("/")).expect("a name");
    let without = Request {
        base: Some(base),
        ..request()
    };
    assert!(
        planned(&test, &without, &Config::default(), &[(0, "web")]).is_ok(),
        "a reference alone needs no layers"
    );
    for target in [
        Target::Archive("/a.tar".into()),
        Target::Layout("/l".into()),
        Target::Tarball("/t.tar".into()),
    ] {
        let request = Request {
            targets: vec![target],
            ..without.clone()
        };
        let (kind, text) = refused(planned(&test, &request, &Config::default(), &[(0, "web")]));
        assert_eq!(kind, Kind::Offline);
        assert_eq!(text.matches("missing sha256:").count(), 2, "{text}");
        assert!(
            text.contains("bytes") && text.contains("crane pull"),
            "{text}"
        );
    }
}

#[test]
fn layers_that_an_output_needs_are_fetched_where_they_can_be_had_each_once() {
    let test = testing::store();
    let index = testing::two_platforms(&test.store, false);
    let named = |name: &str| Name::parse(name, test.directory.path()).expect("a name");
    let online = Request {
        base: Some(named(&format!("r.example/base@{}", index.digest))),
        platforms: Platforms::These(vec![platform("linux/amd64"), platform("linux/arm64")]),
        network: Network::unless(false),
        targets: vec![Target::Archive("/a.tar".into())],
        ..request()
    };
    let both = [(0, "web"), (0, "admin")];
    let plan = planned(&test, &online, &Config::default(), &both).expect("a plan");
    let [fetch] = plan.fetches.as_slice() else {
        panic!("one repository: {:?}", plan.fetches)
    };
    assert_eq!(fetch.from.name(), "r.example/base");
    let digests: BTreeSet<_> = fetch.layers.iter().map(|layer| layer.digest).collect();
    assert_eq!(
        digests.len(),
        fetch.layers.len(),
        "both platforms share them"
    );
    let line = format!(
        "fetch 2 layers, {} bytes, from r.example/base\n",
        fetch.size()
    );
    assert!(plan.to_string().contains(&line), "{plan}");
    let nothing_to_write = Request {
        targets: Vec::new(),
        ..online.clone()
    };
    let plan = planned(&test, &nothing_to_write, &Config::default(), &both).expect("a plan");
    assert_eq!(plan.fetches, []);
    let from_a_directory = Request {
        base: Some(named(&format!("oci:img@{}", index.digest))),
        ..online
    };
    let (kind, text) = refused(planned(&test, &from_a_directory, &Config::default(), &both));
    assert_eq!(kind, Kind::Offline, "no registry stands behind it: {text}");
}

#[test]
fn two_images_of_one_name_are_refused() {
    let test = testing::store();
    let naming = Naming {
        repository: Some("r.example/x".into()),
        style: Style::Bare,
        ..Naming::default()
    };
    let (kind, text) = refused(planned(
        &test,
        &Request {
            naming,
            ..request()
        },
        &Config::default(),
        &[(0, "web"), (0, "admin")],
    ));
    assert_eq!(kind, Kind::Refused);
    assert!(
        text.contains("`web`") && text.contains("`admin`") && text.contains("r.example/x"),
        "{text}"
    );
}

#[test]
fn the_path_style_shows_where_in_the_workspace_the_package_is() {
    let test = testing::store();
    let naming = Naming {
        repository: Some("r.example/x".into()),
        style: Style::Path,
        tags: vec!["v1".into()],
        ..Naming::default()
    };
    let plan = planned(
        &test,
        &Request {
            naming,
            ..request()
        },
        &Config::default(),
        &[(0, "admin")],
    )
    .expect("a plan");
    assert_eq!(plan.images[0].name, "r.example/x/web/admin");
}

#[test]
fn the_same_values_give_the_same_plan() {
    let test = testing::store();
    let text = || {
        planned(
            &test,
            &request(),
            &Config::default(),
            &[(0, "web"), (1, "tool")],
        )
        .expect("a plan")
        .to_string()
    };
    assert_eq!(text(), text());
    assert!(
        text().contains("image rbuild.local/web:latest from the binary `web` at /app/web"),
        "{}",
        text()
    );
}
