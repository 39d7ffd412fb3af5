//! How registries are spelled in auth files, and which entry is meant.

/// What helpers and docker's file know Docker Hub by.
const HUB: &str = "https://index.docker.io/v1/";

/// The key that docker uses for a registry.
pub(super) fn server(registry: &str) -> &str {
    match registry {
        "docker.io" => HUB,
        other => other,
    }
}

/// A key as `host[/path]`: no scheme, the host in lower case, Docker Hub as `docker.io`. `/v1` and `/v2` are left out where they stand
/// for the API, in a URL and for the Hub; elsewhere they are a namespace.
pub(in crate::registry) fn normal(key: &str) -> String {
    let (is_url, bare) = key
        .split_once("://")
        .map_or((false, key), |(_, bare)| (true, bare));
    let bare = bare.trim_end_matches('/');
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let host = host.to_ascii_lowercase();
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    };
    match path {
        "" => host.to_owned(),
        "v1" | "v2" if is_url || host == "docker.io" => host.to_owned(),
        path => format!("{host}/{path}"),
    }
}

/// The names that may stand for a repository, the longest first, the registry alone last.
pub(super) fn candidates(registry: &str, repository: &str) -> Vec<String> {
    let mut name = format!("{}/{repository}", normal(registry));
    let mut found = Vec::new();
    loop {
        found.push(name.trim_end_matches('/').to_owned());
        match name.rfind('/') {
            Some(at) => name.truncate(at),
            None => break,
        }
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a23_the_spellings_of_a_registry_mean_the_same() {
        for key in [
            "https://index.docker.io/v1/",
            "index.docker.io",
            "docker.io",
            "https://Docker.IO/",
            "registry-1.docker.io/v2/",
        ] {
            assert_eq!(normal(key), "docker.io", "{key}");
        }
        assert_eq!(normal("https://R.example:5000/v2"), "r.example:5000");
        assert_eq!(normal("R.example/Team/x/"), "r.example/Team/x");
        assert_eq!(
            normal("quay.io/v2"),
            "quay.io/v2",
            "a namespace of podman's"
        );
        assert_eq!(normal("https://quay.io/team"), "quay.io/team");
        assert_eq!(normal(""), "");
    }

    #[test]
    fn a23_the_longest_prefix_comes_first() {
        assert_eq!(
            candidates("quay.io", "org/team/web"),
            [
                "quay.io/org/team/web",
                "quay.io/org/team",
                "quay.io/org",
                "quay.io"
            ]
        );
        assert_eq!(
            candidates("docker.io", "library/x")
                .last()
                .map(String::as_str),
            Some("docker.io")
        );
        assert_eq!(candidates("r.example:5000", ""), ["r.example:5000"]);
    }
}
