//! As much of a browser as it takes to sign in: cookies, redirects and forms.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, Url};

/// A browser that visits one site and says where it is sent from there.
#[derive(Debug)]
pub(super) struct Browser {
    site: Url,
    http: Client,
    /// By name: no two of the site's cookies differ in their path only.
    cookies: BTreeMap<String, String>,
}

/// What a browser shows after all redirects within the site.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) url: Url,
    pub(super) text: String,
    away: Option<Url>,
}

impl Browser {
    #[expect(clippy::expect_used, reason = "tests")]
    pub(super) fn new(site: Url) -> Self {
        let http = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { site, http, cookies: BTreeMap::new() }
    }

    /// Goes to a URL.
    pub(super) async fn open(&mut self, url: &Url) -> Page {
        self.visit(Method::GET, url, String::new()).await
    }

    /// Sends a form.
    pub(super) async fn submit(&mut self, url: &Url, fields: &[(&str, &str)]) -> Page {
        self.visit(Method::POST, url, form(fields)).await
    }

    #[expect(clippy::expect_used, reason = "tests")]
    async fn visit(&mut self, mut method: Method, url: &Url, mut body: String) -> Page {
        let mut url = url.clone();
        loop {
            let request = self
                .http
                .request(method, url.clone())
                .header(COOKIE, self.cookies())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body);
            let response = request.send().await.expect("an answer");
            self.keep_cookies(&response);
            let Some(next) = location(&response, &url) else {
                return Page { url, text: response.text().await.expect("a body"), away: None };
            };
            if next.origin() != self.site.origin() {
                return Page { url, text: String::new(), away: Some(next) };
            }
            (method, url, body) = (Method::GET, next, String::new());
        }
    }

    fn cookies(&self) -> String {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        cookies.collect::<Vec<_>>().join("; ")
    }

    fn keep_cookies(&mut self, response: &Response) {
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap_or_default();
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                // A cookie is taken back by an empty one.
                if value.is_empty() {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
        }
    }
}

impl Page {
    /// Where the site sent the browser.
    #[expect(clippy::panic, reason = "tests")]
    pub(super) fn sent_away(self) -> String {
        let Some(away) = self.away else { panic!("the browser stays at {}: {}", self.url, self.text) };
        away.into()
    }

    /// A hidden field of its form.
    #[expect(clippy::panic, reason = "tests")]
    pub(super) fn hidden(&self, name: &str) -> String {
        let begin = format!("name=\"{name}\" value=\"");
        let value = self.text.split_once(&begin).and_then(|(_, rest)| rest.split_once('"'));
        let Some((value, _)) = value else { panic!("{} has no field {name}: {}", self.url, self.text) };
        value.to_owned()
    }
}

/// Fields as a form's body.
#[expect(clippy::expect_used, reason = "tests")]
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    // A form is written as the query of a URL is.
    let url = Url::parse_with_params("form:", fields).expect("a URL");
    url.query().unwrap_or_default().to_owned()
}

fn location(response: &Response, from: &Url) -> Option<Url> {
    let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection())?;
    from.join(location.to_str().ok()?).ok()
}
