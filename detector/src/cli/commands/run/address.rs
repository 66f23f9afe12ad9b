//! `localhost:8080` or `[::]:8080` in, a socket that listens there out.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::str::FromStr;

/// Where a server listens: a host's name or an IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// All addresses of the machine, IPv4 and IPv6 where it has both.
    pub fn any(port: u16) -> Self {
        Self(format!("[::]:{port}"))
    }

    /// The loopback address, which only this machine reaches.
    pub fn local(port: u16) -> Self {
        Self(format!("localhost:{port}"))
    }

    /// The port, where the text has one.
    pub(super) fn port(&self) -> Option<u16> {
        self.0.rsplit_once(':')?.1.parse().ok()
    }

    /// Listen on the address. `[::]` accepts IPv4 connections too; on a machine without IPv6 it is `0.0.0.0`.
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        match (TcpListener::bind(&self.0), self.0.strip_prefix("[::]:").map(str::parse::<u16>)) {
            (Err(error), Some(Ok(port))) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map_err(|_| error)
            }
            (listener, _) => listener,
        }
    }
}

impl FromStr for Address {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // `:8080`, as Go programs take it.
        let text = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
        Ok(Self(text))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;
    use std::net::TcpStream;

    #[test]
    fn a_name_is_an_address_and_any_takes_ipv4_in() {
        let listener = "localhost:0".parse::<Address>().unwrap().listen().unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
        let port = Address::any(0).listen().unwrap();
        let port = (port.local_addr().unwrap().port(), port);
        TcpStream::connect(("127.0.0.1", port.0)).unwrap();
        assert!("localhost".parse::<Address>().unwrap().listen().is_err(), "no port");
    }
}
