//! Names and addresses that lead inward: to this machine, its link or a cloud's metadata.
//!
//! Only what is written in a URL is judged; no name is looked up here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `localhost`, `*.localhost`, 127/8 or `[::1]`: the host of a URL, or a registry's name without its port.
pub(super) fn is_loopback(host: &str) -> bool {
    match address(host) {
        Some(address) => plain(address).is_loopback(),
        None => is_localhost(host),
    }
}

/// `localhost` and what stands below it (RFC 6761).
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Where nobody outside may send us: loopback, link-local, unspecified and metadata addresses, also those wrapped in IPv6.
pub(super) fn is_inward(host: &str) -> bool {
    match address(host).map(plain) {
        Some(IpAddr::V4(address)) => is_inward_v4(address),
        Some(IpAddr::V6(address)) => is_inward_v6(address),
        None => is_localhost(host) || METADATA_NAMES.contains(&host.trim_end_matches('.')),
    }
}

/// Whether the host of a URL may send us to another one: nobody outside sends us inward, and what runs here may send us elsewhere on
/// this machine.
pub(super) fn may_lead(from: &str, to: &str) -> bool {
    let stays = from == to || (is_loopback(from) && is_loopback(to));
    stays || !is_inward(to)
}

const METADATA_NAMES: [&str; 2] = ["metadata.google.internal", "metadata.goog"];
/// Alibaba, Oracle, Azure; the others are link-local.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];
/// Amazon, Google.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

fn is_inward_v4(address: Ipv4Addr) -> bool {
    address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.octets()[0] == 0
        || METADATA_V4.contains(&address)
}

fn is_inward_v6(address: Ipv6Addr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unicast_link_local()
        || METADATA_V6.contains(&address)
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// IPv4 that was mapped into IPv6, or goes through NAT64, as IPv4.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let [.., high, low] = v6.segments();
    let inner = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => inner.into(),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => inner.into(),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_said_of_names_and_of_both_families() {
        for host in [
            "localhost",
            "a.LOCALHOST",
            "localhost.",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "::1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "localhost.example",
            "notlocalhost",
            "128.0.0.1",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn r13_inward_literals_are_known_in_every_spelling() {
        for host in [
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[::]",
            "0.0.0.0",
            "0.1.2.3",
            "100.100.100.200",
            "[fd20:ce::254]",
            "255.255.255.255",
            "localhost",
            "metadata.google.internal.",
        ] {
            assert!(is_inward(host), "{host}");
        }
        for host in [
            "10.0.0.1",
            "192.168.1.1",
            "203.0.113.9",
            "[2001:db8::1]",
            "[fd00::1]",
            "registry.example",
        ] {
            assert!(!is_inward(host), "{host}");
        }
    }

    #[test]
    fn what_runs_here_may_lead_elsewhere_on_this_machine_and_nowhere_else_inward() {
        assert!(may_lead("127.0.0.1", "localhost") && may_lead("[::1]", "127.0.0.2"));
        assert!(may_lead("169.254.1.1", "169.254.1.1") && may_lead("localhost", "r.example"));
        assert!(!may_lead("127.0.0.1", "169.254.169.254"));
        assert!(!may_lead("r.example", "localhost") && !may_lead("10.0.0.1", "0.0.0.0"));
    }
}
