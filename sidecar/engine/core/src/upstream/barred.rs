//! Addresses that no provider has and that give away a cloud's own secrets (SSRF): whatever name leads
//! there, whoever wrote it into a pool, nothing is sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Services that clouds put beside the link-local range: Azure's host, Alibaba's metadata.
const HOSTS: [Ipv4Addr; 2] = [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200)];
/// AWS's metadata and credentials over IPv6 have `fd00:ec2::/32`.
const OF_AWS: [u16; 2] = [0xfd00, 0x0ec2];

/// Whether nothing may be sent to this address: link-local ones (where clouds have their metadata),
/// those of no single host, and what clouds put elsewhere.
pub(super) fn is_barred(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(|| of_v6(address), of_v4),
    }
}

fn of_v4(address: Ipv4Addr) -> bool {
    address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || HOSTS.contains(&address)
}

fn of_v6(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address.segments()[..2] == OF_AWS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_barred_however_it_is_written() {
        for barred in [
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "168.63.129.16",
            "100.100.100.200",
        ] {
            assert!(is_barred(barred.parse().unwrap()), "{barred}");
        }
    }

    #[test]
    fn what_people_run_models_on_is_not() {
        for open in
            ["127.0.0.1", "::1", "10.0.0.7", "192.168.1.2", "172.16.0.1", "8.8.8.8", "fd12::7"]
        {
            assert!(!is_barred(open.parse().unwrap()), "{open}");
        }
    }
}
