//! An address in; whether a detector may connect to it out.
//!
//! The author of a spec says where a pod connects to. It must not be led to what only the pod itself can reach: the
//! metadata service of the node's cloud, the pod's own ports, the API server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use thiserror::Error;

/// Set in every pod: the address of the API server.
const API_SERVER: &str = "KUBERNETES_SERVICE_HOST";
/// Its name.
const API_SERVER_NAME: &str = "kubernetes.default.svc:443";

/// Where clouds give a machine its credentials, beside the link-local addresses: AWS (all of its local services,
/// `fd00:ec2::254` among them), Google, Alibaba, Azure, Oracle.
const METADATA_SERVICES: [&str; 5] =
    ["fd00:ec2::/32", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24"];

/// An address that a detector may not connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a detector may not connect to {address}, {what}; --allow-address permits it")]
pub struct AddressRefused {
    address: IpAddr,
    what: &'static str,
}

/// What is refused. Loopback is no secret on a laptop, so it is refused in pods alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressGuard {
    in_pod: bool,
    api_server: Vec<IpAddr>,
    allowed: Vec<IpNet>,
}

impl AddressGuard {
    /// The guard for where this program runs: in a pod, or on a laptop.
    pub fn here() -> Self {
        match std::env::var(API_SERVER) {
            Ok(host) => Self { api_server: host.parse().into_iter().collect(), ..Self::pod() },
            Err(_) => Self::default(),
        }
    }

    /// The guard of a pod, wherever this program runs.
    pub fn pod() -> Self {
        Self { in_pod: true, ..Self::default() }
    }

    /// The same guard, which lets these addresses pass.
    #[must_use]
    pub fn allowing(self, allowed: &[IpNet]) -> Self {
        Self { allowed: allowed.to_vec(), ..self }
    }

    /// With the addresses that the API server's name has now.
    pub async fn with_api_server(&self) -> Self {
        let mut guard = self.clone();
        if guard.in_pod
            && let Ok(addresses) = tokio::net::lookup_host(API_SERVER_NAME).await
        {
            guard.api_server.extend(addresses.map(|address| address.ip()));
        }
        guard
    }

    /// Let an address pass.
    ///
    /// # Errors
    /// It is link-local, multicast, unspecified or a cloud's metadata service, and in a pod also loopback or the API
    /// server's; and no option allows it.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefused> {
        let plain = embedded(address);
        if self.allowed.iter().any(|network| network.contains(&plain) || network.contains(&address)) {
            return Ok(());
        }
        match self.refusal(plain) {
            Some(what) => Err(AddressRefused { address, what }),
            None => Ok(()),
        }
    }

    fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        if self.api_server.iter().any(|server| embedded(*server) == address) {
            return Some("the address of the API server");
        }
        let (link_local, this_host) = match address {
            IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[0] == 0 || v4.is_broadcast()),
            IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.is_unspecified()),
        };
        match address {
            _ if link_local => Some("a link-local address"),
            _ if is_metadata_service(address) => Some("a cloud's metadata service"),
            _ if address.is_multicast() => Some("a multicast address"),
            _ if this_host => Some("an unspecified address"),
            _ if address.is_loopback() && self.in_pod => Some("a loopback address"),
            _ => None,
        }
    }
}

fn is_metadata_service(address: IpAddr) -> bool {
    let network = |text: &&str| text.parse::<IpNet>().expect("a constant network");
    METADATA_SERVICES.iter().map(network).any(|network| network.contains(&address))
}

/// The IPv4 address that an IPv6 one stands for: mapped (RFC 4291), by way of NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056)
/// or Teredo (RFC 4380).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] if !is_special(v6) => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        [0x2001, 0, _, _, _, _, high, low] => v4(!high, !low),
        _ => address,
    }
}

/// `::` and `::1` are themselves.
fn is_special(address: Ipv6Addr) -> bool {
    address.is_unspecified() || address == Ipv6Addr::LOCALHOST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(guard: &AddressGuard, address: &str) -> Option<String> {
        guard.check(address.parse().unwrap()).err().map(|refused| refused.to_string())
    }

    fn in_pod() -> AddressGuard {
        AddressGuard { api_server: vec!["10.43.0.1".parse().unwrap()], ..AddressGuard::pod() }
    }

    #[test]
    fn what_only_a_pod_can_reach_is_refused_however_it_is_written() {
        for (address, what) in [
            ("169.254.169.254", "a link-local address"),
            ("fe80::1", "a link-local address"),
            ("::ffff:169.254.169.254", "a link-local address"),
            ("::169.254.169.254", "a link-local address"),
            ("64:ff9b::a9fe:a9fe", "a link-local address"),
            ("64:ff9b:1::a9fe:a9fe", "a link-local address"),
            ("2002:a9fe:a9fe::1", "a link-local address"),
            ("2001:0:4136:e378:8000:63bf:5601:5601", "a link-local address"),
            ("fd00:ec2::254", "a cloud's metadata service"),
            ("fd00:ec2::23", "a cloud's metadata service"),
            ("fd20:ce::254", "a cloud's metadata service"),
            ("100.100.100.200", "a cloud's metadata service"),
            ("::ffff:100.100.100.200", "a cloud's metadata service"),
            ("168.63.129.16", "a cloud's metadata service"),
            ("192.0.0.192", "a cloud's metadata service"),
            ("127.0.0.1", "a loopback address"),
            ("127.8.8.8", "a loopback address"),
            ("::1", "a loopback address"),
            ("::ffff:127.0.0.1", "a loopback address"),
            ("0.0.0.0", "an unspecified address"),
            ("0.1.2.3", "an unspecified address"),
            ("::", "an unspecified address"),
            ("255.255.255.255", "an unspecified address"),
            ("224.0.0.1", "a multicast address"),
            ("ff02::1", "a multicast address"),
            ("10.43.0.1", "the address of the API server"),
            ("::ffff:10.43.0.1", "the address of the API server"),
        ] {
            let sentence = format!(
                "a detector may not connect to {}, {what}; --allow-address permits it",
                address.parse::<IpAddr>().unwrap()
            );
            assert_eq!(refused(&in_pod(), address), Some(sentence));
        }
    }

    #[test]
    fn other_services_and_the_world_may_be_asked() {
        for address in
            ["10.43.0.2", "192.168.1.7", "93.184.216.34", "2606:4700::1111", "fd00::7", "100.100.100.201"]
        {
            assert_eq!(refused(&in_pod(), address), None, "{address}");
        }
    }

    #[test]
    fn what_is_allowed_passes_and_nothing_beside_it() {
        let guard =
            in_pod().allowing(&["127.0.0.0/8".parse().unwrap(), "fd00:ec2::253/128".parse().unwrap()]);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "fd00:ec2::253"] {
            assert_eq!(refused(&guard, address), None, "{address}");
        }
        for address in ["::1", "fd00:ec2::254", "169.254.169.254", "10.43.0.1"] {
            assert!(refused(&guard, address).is_some(), "{address}");
        }
    }

    #[test]
    fn a_laptop_may_ask_itself_and_no_metadata_service() {
        assert_eq!(refused(&AddressGuard::default(), "127.0.0.1"), None);
        assert_eq!(refused(&AddressGuard::default(), "::1"), None);
        assert!(refused(&AddressGuard::default(), "169.254.169.254").is_some());
        assert!(refused(&AddressGuard::default(), "100.100.100.200").is_some());
    }
}
