//! Where this service is, and whether a request comes from a page of it.

use actix_web::HttpRequest;
use url::Url;

use crate::gateway::Gateway;

impl Gateway {
    /// The address this service is called by, without a slash at its end.
    pub(crate) fn address(&self, request: &HttpRequest) -> String {
        if let Some(url) = &self.settings.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let connection = request.connection_info();
        format!("{}://{}", connection.scheme(), connection.host())
    }

    /// Whether a page of this service sent a request, as browsers tell and pages cannot: a page of another site could
    /// make the browser send the cookie of a session along.
    pub(crate) fn is_from_own_page(&self, request: &HttpRequest) -> bool {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if let Some(site) = header("sec-fetch-site") {
            return site == "same-origin";
        }
        // Browsers send the other one to sites without TLS, and older ones do.
        let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
        header("origin").and_then(origin).is_some_and(|from| Some(from) == origin(&self.address(request)))
    }

    /// Where in this service a browser may be sent: an address without a host, as it is written then.
    pub(super) fn local(&self, request: &HttpRequest, path: &str) -> Option<String> {
        local(&self.address(request), path)
    }
}

fn local(base: &str, path: &str) -> Option<String> {
    const LONGEST: usize = 2048;
    let base = Url::parse(base).ok()?;
    if !path.starts_with('/') || path.len() > LONGEST {
        return None;
    }
    let url = base.join(path).ok().filter(|url| url.origin() == base.origin())?;
    let written = url[url::Position::BeforePath..].to_owned();
    // What remains must not begin another host when it is read again.
    (!written.starts_with("//")).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_browser_is_sent_to_this_service_and_nowhere_else() {
        let to = |path: &str| local("https://chancery.example.com", path);
        assert_eq!(to("/"), Some("/".to_owned()));
        assert_eq!(to("/a/../b?q=1 2#c"), Some("/b?q=1%202#c".to_owned()));
        for away in ["", "a", "https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "\\\\e"]
        {
            assert_eq!(to(away), None, "{away:?}");
        }
        assert_eq!(to("/.//evil.example"), None);
    }
}
