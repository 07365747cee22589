//! Sessions of people in workspaces and on hosts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::event_types;

event_types! {
    /// What happened to sessions.
    pub enum SessionEvent {
        /// A session was allowed.
        "session.authorized" v 1 "connect" => SessionAuthorized(SessionRequest),
        /// A session was refused.
        "session.denied" v 1 "connect" => SessionDenied(SessionRequest),
        /// A session began.
        "session.opened" v 1 "connect" => SessionOpened(SessionOpened),
        /// A session ended.
        "session.closed" v 2 "disconnect" => SessionClosed(SessionClosed),
    }
}

/// Payload of `session.authorized` and `.denied`; the resource is the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRequest {
    /// Client software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// How the person connects.
    pub kind: SessionKind,
    /// Workspace it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_name: Option<String>,
}

/// Payload of `session.opened`; the resource is the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionOpened {
    /// Client software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Host it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How the person connects.
    pub kind: SessionKind,
    /// Workspace it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_name: Option<String>,
}

/// Payload of `session.closed`, version 2 (version 1 counted whole seconds in `duration_s`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionClosed {
    /// Bytes received from the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_in: Option<u64>,
    /// Bytes sent to the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// How long it lasted; absent when its beginning is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Exit code of the command it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How the person connected.
    pub kind: SessionKind,
    /// Workspace it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_name: Option<String>,
}

/// How a person connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// SSH shell or command.
    Ssh,
    /// Terminal in the browser.
    Terminal,
    /// IDE in the browser.
    WebIde,
    /// IDE on the desktop with a remote back end.
    DesktopIde,
    /// Jupyter.
    Jupyter,
    /// Remote Desktop Protocol.
    Rdp,
    /// VNC.
    Vnc,
    /// A forwarded port.
    PortForward,
    /// SCP or SFTP.
    FileTransfer,
}

impl SessionKind {
    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Terminal => "terminal",
            Self::WebIde => "web_ide",
            Self::DesktopIde => "desktop_ide",
            Self::Jupyter => "jupyter",
            Self::Rdp => "rdp",
            Self::Vnc => "vnc",
            Self::PortForward => "port_forward",
            Self::FileTransfer => "file_transfer",
        }
    }
}
