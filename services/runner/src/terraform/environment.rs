//! The environment of Terraform: what is said here, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::server::{Job, Transition};

/// The environment of one job. `passed` is what whoever runs this runner lets every job have.
pub(crate) fn environment(
    job: &Job,
    directories: (&Path, &Path),
    server: &str,
    path: &str,
    passed: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let (home, temporary) = directories;
    let mut environment = passed.clone();
    let mut set = |name: &str, value: String| {
        environment.insert(name.to_owned(), value);
    };
    set("PATH", path.to_owned());
    set("HOME", home.display().to_string());
    set("TMPDIR", temporary.display().to_string());
    set("LANG", "C.UTF-8".to_owned());
    for (name, value) in [("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0"), ("CHECKPOINT_DISABLE", "1")] {
        set(name, value.to_owned());
    }
    for (name, value) in &job.parameters {
        set(&format!("TF_VAR_{name}"), value.clone());
    }
    for (name, value) in facts(job) {
        set(&format!("TF_VAR_chancery_{name}"), value);
    }
    for (name, value) in coder(job, server) {
        set(&name, value);
    }
    if let Some(state) = &job.state {
        set("TF_HTTP_ADDRESS", state.address.clone());
        let pairs = [("TF_HTTP_LOCK_ADDRESS", &state.lock_address), ("TF_HTTP_UNLOCK_ADDRESS", &state.unlock_address)];
        for (name, value) in pairs {
            if let Some(value) = value {
                set(name, value.clone());
            }
        }
        // The server may be away for a while: the pauses grow to half a minute, and together they are about 18 minutes.
        set("TF_HTTP_RETRY_MAX", "40".to_owned());
        set("TF_HTTP_USERNAME", state.username.clone());
        set("TF_HTTP_PASSWORD", state.password.clone());
    }
    environment.extend(job.secrets.clone());
    environment
}

/// Chancery's own variables: a template that declares `chancery_transition` and so on gets them.
fn facts(job: &Job) -> [(&'static str, String); 7] {
    [
        ("transition", job.transition.as_str().to_owned()),
        ("workspace_id", job.workspace.id.clone()),
        ("workspace_name", job.workspace.name.clone()),
        ("build_number", job.build_number.to_string()),
        ("organization", job.organization.clone()),
        ("owner_id", job.owner.id.clone()),
        ("owner_name", job.owner.name.clone()),
    ]
}

/// What templates written for Coder read through its provider. The owner's keys and tokens are not among it.
fn coder(job: &Job, server: &str) -> Vec<(String, String)> {
    let list = |names: &[String]| serde_json::to_string(names).unwrap_or_default();
    let roles: Vec<_> = job.owner.roles.iter().map(|role| serde_json::json!({"name": role, "org_id": ""})).collect();
    let transition = match job.transition {
        Transition::Start => "start",
        Transition::Stop => "stop",
        Transition::Delete => "destroy",
    };
    let display_name = job.owner.display_name.clone().unwrap_or_else(|| job.owner.name.clone());
    let workspace = [
        ("TRANSITION", transition.to_owned()),
        ("NAME", job.workspace.name.clone()),
        ("ID", job.workspace.id.clone()),
        ("BUILD_ID", job.id.clone()),
        ("TEMPLATE_ID", job.template.id.clone()),
        ("TEMPLATE_NAME", job.template.name.clone()),
        ("TEMPLATE_VERSION", job.template_version.name.clone()),
        ("OWNER", job.owner.name.clone()),
        ("OWNER_ID", job.owner.id.clone()),
        ("OWNER_NAME", display_name),
        ("OWNER_EMAIL", job.owner.email.clone().unwrap_or_default()),
        ("OWNER_GROUPS", list(&job.owner.groups)),
        ("OWNER_RBAC_ROLES", serde_json::to_string(&roles).unwrap_or_default()),
        ("OWNER_LOGIN_TYPE", "oidc".to_owned()),
    ];
    let mut coder: Vec<(String, String)> =
        workspace.map(|(name, value)| (format!("CODER_WORKSPACE_{name}"), value)).into();
    coder.push(("CODER_AGENT_URL".to_owned(), server.to_owned()));
    // Its provider finds parameters by the hash of their name.
    coder.extend(job.parameters.iter().map(|(name, value)| {
        let hash = Sha256::digest(name).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").ok();
            hex
        });
        (format!("CODER_PARAMETER_{hash}"), value.clone())
    }));
    coder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::job;

    #[test]
    fn there_is_what_is_said_and_nothing_of_the_runners_own() {
        let mut job = job(Transition::Start);
        job.parameters.insert("size".to_owned(), "large".to_owned());
        job.parameters.insert("chancery_owner_name".to_owned(), "somebody else".to_owned());
        let passed = BTreeMap::from([("KUBECONFIG".to_owned(), "/etc/kube".to_owned())]);
        let directories = (Path::new("/job/home"), Path::new("/job/tmp"));
        let environment = environment(&job, directories, "https://chancery.example.com", "/bin", &passed);
        let get = |name: &str| environment.get(name).map(String::as_str);
        assert_eq!(get("HOME"), Some("/job/home"));
        assert_eq!(get("KUBECONFIG"), Some("/etc/kube"));
        assert_eq!(get("TF_VAR_size"), Some("large"));
        assert_eq!(get("TF_VAR_chancery_owner_name"), Some("ada"), "a parameter cannot pose as a fact");
        assert_eq!(get("CODER_WORKSPACE_TRANSITION"), Some("start"));
        assert_eq!(get("CODER_WORKSPACE_OWNER_GROUPS"), Some(r#"["developers"]"#));
        let parameter = format!("CODER_PARAMETER_{:x}", Sha256::digest("size"));
        assert_eq!(get(&parameter), Some("large"));
        for secret in ["SSH", "TOKEN"] {
            assert!(!environment.keys().any(|name| name.contains(secret)), "{secret}");
        }
        assert_eq!(get("CARGO_MANIFEST_DIR"), None);
    }
}
