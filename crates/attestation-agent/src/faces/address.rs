//! Where a listener stands.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A place to listen at: `unix:///absolute/path` or `<IP address>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// TCP; only loopback addresses are bound.
    Tcp(SocketAddr),
}

/// A text that is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not an address: write unix:///path/to/socket or 127.0.0.1:8006")]
pub struct NotAnAddress {
    /// The text, cut after 128 characters.
    pub found: String,
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let wrong = || NotAnAddress { found: text.chars().take(128).collect() };
        match text.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') && path.len() > 1 && !path.contains('\0') => {
                Ok(Address::Unix(PathBuf::from(path)))
            }
            Some(_) => Err(wrong()),
            None => text.parse().map(Address::Tcp).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_text_and_others_are_refused() {
        for text in ["unix:///run/a.sock", "127.0.0.1:50002", "[::1]:0"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in
            ["", "unix://", "unix:///", "unix://run/a", "/run/a", "127.0.0.1", "localhost:1", "vsock://1:2"]
        {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress { found: text.to_owned() }));
        }
    }
}
