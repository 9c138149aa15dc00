//! `outside`: what is published is reached, and what is not is not.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::load::{Load, token};
use super::{Bench, BrokerUnderTest, Check};
use crate::live::{Error, Instance};
use crate::plan::Published;
use crate::spec::values::Protocol;

const NAME: &str = "outside";
const PATIENCE: Duration = Duration::from_secs(3);

/// Goes to each published frontend as a client of another machine would, and knocks at every other port.
pub fn checks(bench: &Bench<'_>) -> Result<Vec<Check>, Error> {
    if bench.deployment.kind() == "local" {
        return Ok(vec![Check::skip(NAME, "", "local processes listen on 127.0.0.1 alone")]);
    }
    let seen = &bench.deployment.instances()?;
    let mut checks = Vec::new();
    for test in BrokerUnderTest::of(bench.plan) {
        for published in test.peers.broker.published.iter().filter(|published| published.endpoint == "frontend") {
            checks.push(way_in(bench, seen, &test, published)?);
        }
    }
    checks.push(closed(bench, seen));
    Ok(checks)
}

/// The address of this machine that others would use.
#[must_use]
pub fn host_address() -> Option<IpAddr> {
    // No packet is sent: the kernel only chooses the way to an address that is nobody's (RFC 5737).
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_unspecified())
}

/// Where others would look for a component's ports.
fn address_of(bench: &Bench<'_>, seen: &[Instance], component: &str, published: Option<&Published>) -> IpAddr {
    let elsewhere =
        || seen.iter().filter(|instance| instance.component == component).find_map(|instance| bench.deployment.address(instance));
    published.and_then(|published| published.address).or_else(elsewhere).or_else(host_address).unwrap_or(IpAddr::from([127, 0, 0, 1]))
}

fn way_in(bench: &Bench<'_>, seen: &[Instance], test: &BrokerUnderTest<'_>, published: &Published) -> Result<Check, Error> {
    let (host, port) = (address_of(bench, seen, test.name(), Some(published)), published.host_port);
    let word = token();
    let timeout = format!("{}ms", test.patience().as_millis());
    let words = ["--token", &word, "--timeout", &timeout, "--clients", "2", "--requests", "10"];
    let arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let load = Load::of(bench.deployment.audit_from_outside(&host.to_string(), port, &arguments)?, word);
    let account = load.rest(test.patience() * 2 + test.service * 20)?;
    let done = format!("two clients asked {} questions at tcp://{}", account.sent, SocketAddr::new(host, port));
    let well = format!("{} own answers", account.sent);
    let advice = "is the port published, and does the firewall let it in? `cbwgen firewall` tells";
    Ok(Check::judged(NAME, test.name(), done, well, &account.trouble(), advice))
}

/// Nothing is published that the plan does not publish, and no other endpoint answers on this machine's addresses.
fn closed(bench: &Bench<'_>, seen: &[Instance]) -> Check {
    let mut trouble = Vec::new();
    let planned = |component: &str| -> Vec<(u16, Protocol)> {
        let published = bench.plan.component(component).map(|component| component.published.as_slice()).unwrap_or_default();
        published.iter().map(|published| (published.host_port, published.protocol)).collect()
    };
    let all: Vec<u16> =
        bench.plan.deployed().flat_map(|component| component.published.iter().map(|published| published.host_port)).collect();
    for instance in seen {
        for published in &instance.published {
            let address = published.split(' ').next().unwrap_or_default();
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none_or(|port| planned(&instance.component).iter().all(|(planned, _)| *planned != port)) {
                trouble.push(format!("`{}` is published at {published}, and the topology does not say so", instance.name));
            }
        }
    }
    let mut knocked = 0;
    for component in bench.plan.deployed() {
        for endpoint in component.endpoints.iter().filter(|endpoint| endpoint.protocol == Protocol::Tcp && !all.contains(&endpoint.port)) {
            knocked += 1;
            let host = address_of(bench, seen, &component.name, None);
            if speaks_zmtp(SocketAddr::new(host, endpoint.port)) {
                trouble.push(format!("`{}.{}` answers at {host}:{}, and is not published", component.name, endpoint.name, endpoint.port));
            }
        }
    }
    let done = format!("knocked at {} of endpoints that are not published", crate::rules::count(knocked, "port"));
    Check::judged(NAME, "", done, "none of them is open", &trouble, "another program may listen there; else deploy again: `make deploy`")
}

/// Whether somebody answers there as libzmq does (ZMTP 3.0, the signature).
fn speaks_zmtp(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE) else { return false };
    let mut signature = [0; 1];
    stream.set_read_timeout(Some(PATIENCE)).is_ok()
        && stream.write_all(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]).is_ok()
        && stream.read_exact(&mut signature).is_ok()
        && signature[0] == 0xff
}
