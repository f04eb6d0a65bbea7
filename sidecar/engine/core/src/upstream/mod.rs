//! Connections to providers: one pool a data thread, keyed by origin; no hidden retry.

mod barred;
mod body;
mod connect;
mod pool;
mod unreached;

pub use body::Pieces;
pub use connect::TlsRoots;
pub use pool::{Connection, Exchange, Pool, SendError};
pub use unreached::Unreached;

use http::{HeaderValue, Uri};

/// A provider's scheme, host and port, parsed once a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// TLS or not.
    pub tls: bool,
    /// DNS name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whose signature its certificate must bear.
    pub trust: Trust,
}

/// Authorities of TLS peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Trust {
    /// The system's.
    #[default]
    System,
    /// The hub's own, for gateways; never by way of an egress proxy.
    Hub,
    /// The system's; a service of the node itself, never by way of an egress proxy, at addresses where no
    /// provider may be. For tokens alone.
    Node,
}

/// A model's endpoint: origin and the prebuilt parts of each request line.
#[derive(Debug)]
pub struct Endpoint {
    /// The pool's key.
    pub origin: Origin,
    /// `host[:port]` for the Host header.
    pub authority: HeaderValue,
    /// `POST` target for chat completions, absolute.
    pub chat: Uri,
    /// `POST` target for embeddings, absolute.
    pub embeddings: Uri,
    /// `POST` target for OTLP spans, absolute.
    pub traces: Uri,
    base: String,
}

impl Endpoint {
    /// Parses `scheme://host[:port]/prefix`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the URL.
    pub fn parse(base_url: &str) -> Result<Self, String> {
        let base = base_url.trim_end_matches('/');
        let uri: Uri = base.parse().map_err(|error| format!("`{base_url}` is no URL: {error}"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(format!("`{base_url}` must begin with https:// or http://")),
        };
        let authority = uri.authority().ok_or_else(|| format!("`{base_url}` names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(format!("`{base_url}` must hold neither user info nor a query"));
        }
        let join = |path: &str| {
            format!("{base}{path}").parse::<Uri>().map_err(|error| format!("`{base_url}`: {error}"))
        };
        Ok(Self {
            origin: Origin {
                tls,
                host: authority.host().trim_matches(['[', ']']).to_owned(),
                port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
                trust: Trust::System,
            },
            authority: HeaderValue::from_str(authority.as_str())
                .map_err(|_| format!("`{base_url}` names no usable host"))?,
            chat: join("/chat/completions")?,
            embeddings: join("/embeddings")?,
            traces: join("/v1/traces")?,
            base: base.to_owned(),
        })
    }

    /// A target below the base URL, absolute; `None`: the path is none.
    #[must_use]
    pub fn below(&self, path: &str) -> Option<Uri> {
        [&self.base, path].concat().parse().ok()
    }

    /// A target of Google's: its uploads stand below a prefix of their own, before the base URL's path, and
    /// a gateway is asked below `v1beta`, by which it knows whose words they are.
    #[must_use]
    pub fn of_google(&self, path: &str, (uploads, by_gateway): (bool, bool)) -> Option<Uri> {
        let host = self.base.find("://")? + 3;
        let root = self.base[host..].find('/').map_or(self.base.len(), |at| host + at);
        let (root, below) = self.base.split_at(root);
        let below = if by_gateway { "/v1beta" } else { below };
        [root, if uploads { "/upload" } else { "" }, below, path].concat().parse().ok()
    }

    /// The same endpoint, as a gateway that the hub's authority vouches for.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.origin.trust = trust;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_with_prefixes_ports_and_slashes() {
        let endpoint = Endpoint::parse("https://api.openai.com/v1/").unwrap();
        assert_eq!(endpoint.chat.to_string(), "https://api.openai.com/v1/chat/completions");
        assert_eq!(
            endpoint.origin,
            Origin { tls: true, host: "api.openai.com".into(), port: 443, trust: Trust::System }
        );
        let google = Endpoint::parse("https://g.example/v1beta").unwrap();
        let at = |how| google.of_google("/files/a", how).unwrap().to_string();
        assert_eq!(at((false, false)), "https://g.example/v1beta/files/a");
        assert_eq!(at((true, false)), "https://g.example/upload/v1beta/files/a");
        let gateway = Endpoint::parse("https://pool.ns.svc:4617/v1").unwrap();
        let at = |how| gateway.of_google("/files", how).unwrap().to_string();
        assert_eq!(at((false, true)), "https://pool.ns.svc:4617/v1beta/files");
        assert_eq!(at((true, true)), "https://pool.ns.svc:4617/upload/v1beta/files");
        let local = Endpoint::parse("http://[::1]:8080").unwrap();
        assert_eq!(
            local.origin,
            Origin { tls: false, host: "::1".into(), port: 8080, trust: Trust::System }
        );
        assert_eq!(local.embeddings.path(), "/embeddings");
    }

    #[test]
    fn what_is_no_base_url_is_refused_with_a_sentence() {
        for url in
            ["", "api.openai.com/v1", "ftp://x/v1", "https://key@host/v1", "https://host/v1?a=b"]
        {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
