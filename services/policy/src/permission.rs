//! What an endpoint may ask for: one permission for each thing that the API does.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes the enum and its table from one list: variant, name, where it has a meaning, and what it allows.
macro_rules! permissions {
    ($($variant:ident $name:literal $reach:ident $description:literal,)+) => {
        /// One thing that an endpoint does; a Cedar action of the same name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $(#[doc = $description] $variant,)+
        }

        impl Permission {
            /// Every permission.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name, such as `audit:read`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What it allows, in one sentence without a full stop.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)+
                }
            }

            /// How far it can reach.
            pub const fn reach(self) -> Reach {
                match self {
                    $(Self::$variant => Reach::$reach,)+
                }
            }
        }
    };
}

/// How far a permission can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It concerns the deployment as a whole: a role that is limited to an organization never gives it.
    Deployment,
    /// It concerns things that can be in an organization.
    Organization,
}

permissions! {
    AuditRead "audit:read" Organization "search, count, follow and report on the audit trail",
    AuditExport "audit:export" Organization "export from the audit trail",
    EventsWrite "events:write" Deployment "write events into the audit trail",
    UsersRead "users:read" Organization "see users and their roles",
    UsersWrite "users:write" Organization "make, change, suspend and remove users, and give them roles",
    GroupsRead "groups:read" Organization "see groups and their members",
    GroupsWrite "groups:write" Organization "make, change and remove groups, and choose their members",
    OrganizationsRead "organizations:read" Organization "see an organization",
    OrganizationsWrite "organizations:write" Organization "make and change organizations",
    TemplatesRead "templates:read" Organization "see templates and their versions",
    TemplatesWrite "templates:write" Organization "make, change and remove templates, and choose who uses them",
    TemplatesUse "templates:use" Organization "make workspaces from a template",
    WorkspacesRead "workspaces:read" Organization "see workspaces and their builds",
    WorkspacesWrite "workspaces:write" Organization "make, build, hand over and remove workspaces",
    WorkspacesState "workspaces:state" Organization "read and restore Terraform states of workspaces, and break their locks",
    SessionsRead "sessions:read" Organization "see sessions in workspaces and on hosts",
    SessionsConnect "sessions:connect" Organization "open sessions in workspaces",
    SessionsWrite "sessions:write" Organization "close sessions of others",
    QuotasRead "quotas:read" Organization "see allowances and what is used of them",
    QuotasWrite "quotas:write" Organization "set allowances and budgets",
    RunnersRead "runners:read" Organization "see runners, their keys and their jobs",
    RunnersWrite "runners:write" Organization "issue and withdraw runner keys",
    RunnersRun "runners:run" Organization "take builds and report on them",
    TokensRead "tokens:read" Deployment "see everyone's API tokens, never their secrets",
    TokensWrite "tokens:write" Deployment "issue, rotate and revoke anyone's API tokens",
    OwnTokensWrite "own-tokens:write" Deployment "issue, rotate and revoke one's own API tokens",
    ConnectionsRead "connections:read" Deployment "see connections to identity providers",
    ConnectionsWrite "connections:write" Deployment "make, change and remove connections to identity providers",
    ScimPush "scim:push" Deployment "push users and groups over SCIM",
    RolesRead "roles:read" Deployment "see roles and their permissions",
    RolesWrite "roles:write" Deployment "define and withdraw custom roles",
    PoliciesRead "policies:read" Deployment "see published policies",
    PoliciesWrite "policies:write" Deployment "publish and withdraw policies",
    PoliciesSimulate "policies:simulate" Deployment "ask who could do what, and what a policy would change",
    SettingsRead "settings:read" Deployment "see settings",
    SettingsWrite "settings:write" Deployment "change settings, export targets, retention and legal holds",
    OperationsRead "operations:read" Deployment "see metrics, the cluster, consumers and dead letters",
}

/// The action group of the permissions that change nothing.
pub(crate) const READ: &str = "read";
/// The action group of all others.
pub(crate) const WRITE: &str = "write";
/// The action group of the permissions that can be limited to an organization.
pub(crate) const IN_ORGANIZATION: &str = "in-organization";

impl Permission {
    /// The permission of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.as_str() == name)
    }

    /// What it is about, such as `audit`; also the name of an action group.
    pub fn area(self) -> &'static str {
        let name = self.as_str();
        let area = name.split_once(':').map_or(name, |(area, _)| area);
        area.strip_prefix("own-").unwrap_or(area)
    }

    /// Whether its use changes nothing: what the token scope `read` covers.
    pub const fn is_read(self) -> bool {
        matches!(
            self,
            Self::AuditRead
                | Self::AuditExport
                | Self::UsersRead
                | Self::GroupsRead
                | Self::OrganizationsRead
                | Self::TemplatesRead
                | Self::WorkspacesRead
                | Self::SessionsRead
                | Self::QuotasRead
                | Self::RunnersRead
                | Self::TokensRead
                | Self::ConnectionsRead
                | Self::RolesRead
                | Self::PoliciesRead
                | Self::PoliciesSimulate
                | Self::SettingsRead
                | Self::OperationsRead
        )
    }

    /// The action groups that it is in.
    pub(crate) fn groups(self) -> Vec<&'static str> {
        let kind = if self.is_read() { READ } else { WRITE };
        match self.reach() {
            Reach::Deployment => vec![self.area(), kind],
            Reach::Organization => vec![self.area(), kind, IN_ORGANIZATION],
        }
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom(format_args!("there is no permission `{name}`")))
    }
}
