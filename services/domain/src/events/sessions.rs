//! Sessions of people in workspaces and on hosts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::event_types;
use crate::time::Timestamp;

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
        /// What was allowed is allowed no more, before a session came of it.
        "session.revoked" v 1 "revoke" => SessionRevoked(SessionRequest),
        /// A key that tickets or certificates are signed with came to be.
        "session.key.created" v 1 "create" => SessionKeyCreated(SigningKeyCreated),
        /// A key signs no more, and is believed until a given moment.
        "session.key.retired" v 1 "delete" => SessionKeyRetired(SigningKeyRetired),
        /// A host got a certificate.
        "session.host.certified" v 1 "create" => SessionHostCertified(HostCertified),
    }
}

/// Payload of `session.authorized`, `.denied` and `.revoked`; the resource is the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRequest {
    /// The certificate that was made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SessionCertificate>,
    /// Client software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Until when a session may come of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How the person connects.
    pub kind: SessionKind,
    /// Id of the person, where someone else is the actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Workspace it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_name: Option<String>,
}

/// An SSH certificate, without the certificate itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionCertificate {
    /// Id of the key that signed it.
    pub authority: String,
    /// `SHA256:…` of the key it is for.
    pub fingerprint: String,
    /// What runs, whatever the client asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_command: Option<String>,
    /// The names it opens.
    pub principals: Vec<String>,
    /// Unique for its authority, as a decimal number.
    pub serial: String,
    /// Addresses it is good from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal" = true))]
    pub source_address: Option<String>,
}

/// Payload of `session.opened`; the resource is the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionOpened {
    /// Who reported it, where that is not the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Client software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Host it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How the person connects.
    pub kind: SessionKind,
    /// Serial of the certificate that was presented, as a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
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
    /// Who reported it, where that is not the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
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
    /// Serial of the certificate that was presented, as a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Id of the person, where someone else is the actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Workspace it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_name: Option<String>,
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyPurpose {
    /// Tickets of sessions.
    Ticket,
    /// SSH certificates of users.
    SshUser,
    /// SSH certificates of hosts.
    SshHost,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Ticket, Self::SshUser, Self::SshHost];

    /// Its JSON name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::SshUser => "ssh_user",
            Self::SshHost => "ssh_host",
        }
    }

    /// Looks a purpose up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// Payload of `session.key.created`; the resource is the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SigningKeyCreated {
    /// The public key, as OpenSSH writes it.
    pub public_key: String,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// From when it signs; whoever believes signatures should know it before.
    pub signs_from: Timestamp,
}

/// Payload of `session.key.retired`; the resource is the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SigningKeyRetired {
    /// What it signed.
    pub purpose: KeyPurpose,
    /// Until when what it signed is believed.
    pub trusted_until: Timestamp,
}

/// Payload of `session.host.certified`; the resource is the workspace, or the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostCertified {
    /// Id of the key that signed.
    pub authority: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// `SHA256:…` of the host's key.
    pub fingerprint: String,
    /// The names the host answers to.
    pub principals: Vec<String>,
    /// Unique for its authority, as a decimal number.
    pub serial: String,
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
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Ssh,
        Self::Terminal,
        Self::WebIde,
        Self::DesktopIde,
        Self::Jupyter,
        Self::Rdp,
        Self::Vnc,
        Self::PortForward,
        Self::FileTransfer,
    ];

    /// Looks a kind up by name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it goes over SSH, with a certificate.
    pub const fn is_ssh(self) -> bool {
        matches!(self, Self::Ssh | Self::FileTransfer | Self::PortForward | Self::DesktopIde)
    }

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
