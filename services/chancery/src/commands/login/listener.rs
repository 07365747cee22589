//! A port of this machine that a browser comes to with a code.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::failure::{Doing, Failure};

/// How long it is waited for.
const PATIENCE: Duration = Duration::from_mins(15);
/// How long a browser may take to send its request.
const REQUEST: Duration = Duration::from_secs(10);
/// Longest request that is read, in bytes.
const LONGEST: u64 = 16 << 10;

/// It listens.
pub(super) struct Listener {
    socket: TcpListener,
    url: Url,
}

impl Listener {
    pub(super) async fn bind() -> Result<Self, Failure> {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.doing("listening")?;
        let address = socket.local_addr().doing("listening")?;
        let url = Url::parse(&format!("http://{address}/")).doing("listening")?;
        Ok(Self { socket, url })
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        self.url.to_string()
    }

    /// The code that a browser brings. It may ask for other things first.
    pub(super) async fn code(self) -> Result<String, Failure> {
        let waiting = async {
            loop {
                let (stream, _) = self.socket.accept().await.doing("listening")?;
                if let Ok(Some(outcome)) = tokio::time::timeout(REQUEST, self.serve(stream)).await {
                    return outcome.map_err(Failure::unauthorized);
                }
            }
        };
        let late = |_| Failure::failed("nobody has signed in");
        tokio::time::timeout(PATIENCE, waiting).await.map_err(late)?
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<Result<String, String>> {
        let target = target(&mut stream).await?;
        let outcome = self.outcome(&target);
        let (status, said) = match &outcome {
            Some(Ok(_)) => ("200 OK", "You are signed in. You can close this window."),
            Some(Err(_)) => ("200 OK", "You are not signed in: the command line says why. You can close this window."),
            None => ("404 Not Found", "There is nothing here."),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
            said.len()
        );
        stream.write_all(answer.as_bytes()).await.ok();
        stream.shutdown().await.ok();
        outcome
    }

    /// What the target of a request tells: a code, or why there is none.
    fn outcome(&self, target: &str) -> Option<Result<String, String>> {
        let url = self.url.join(target).ok().filter(|url| url.path() == "/")?;
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        // The reason is shown on a terminal.
        let reason = |text: String| text.chars().filter(|character| !character.is_control()).collect();
        value("code").map(Ok).or_else(|| value("error").map(|text| Err(reason(text))))
    }
}

/// The target of a GET request, once all of its head is there.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut limited = stream.take(LONGEST);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if limited.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let line = String::from_utf8_lossy(&head);
    let mut words = line.lines().next()?.split(' ');
    (words.next() == Some("GET")).then(|| words.next().map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_browser_with_a_code_is_heard() {
        let listener = Listener::bind().await.unwrap();
        let url = listener.url();
        let visits = tokio::spawn(async move {
            let other = reqwest::get(format!("{url}favicon.ico")).await.unwrap();
            assert_eq!(other.status(), reqwest::StatusCode::NOT_FOUND);
            let answer = reqwest::get(format!("{url}?code=a%2Bb")).await.unwrap();
            assert!(answer.text().await.unwrap().contains("signed in"));
        });
        assert_eq!(listener.code().await.unwrap(), "a+b");
        visits.await.unwrap();
    }
}
