//! Addresses and networks. An IPv4 address mapped into IPv6 (`::ffff:10.0.0.1`) is the IPv4 address.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// An address as a network of its full length, or a network without host bits. One of IPv4 addresses mapped into
/// IPv6 becomes one of IPv4 addresses.
pub fn parse(text: &str) -> Option<IpNet> {
    match text.parse::<IpNet>() {
        Ok(network) => Some(canonical(network).trunc()),
        Err(_) => text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical())),
    }
}

fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len()) {
        (IpAddr::V4(address), length) if network.addr().is_ipv6() && length >= 96 => {
            Ipv4Net::new(address, length - 96).map_or(network, IpNet::from)
        }
        _ => network,
    }
}

/// Whether `address` lies in `network`.
pub(crate) fn contains(network: &IpNet, address: IpAddr) -> bool {
    network.contains(&address.to_canonical())
}

/// The network the beginning of an IPv4 address stands for.
pub(crate) fn completed(text: &str) -> Option<String> {
    let octets: Vec<u8> = text.trim_end_matches('.').split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let length = octets.len();
    let mut address = [0; 4];
    address.get_mut(..length).filter(|_| length < 4)?.copy_from_slice(&octets);
    Some(format!("{}/{}", IpAddr::from(address), length * 8))
}
