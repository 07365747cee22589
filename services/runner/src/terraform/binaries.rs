//! Which binary runs a template: the newest here that the template takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::version::{Version, meets};
use crate::template::Declarations;

/// How long a binary may take to say its version.
const PATIENCE: Duration = Duration::from_mins(1);

/// Terraform or `OpenTofu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// `terraform`.
    Terraform,
    /// `tofu`.
    Tofu,
}

impl Engine {
    const ALL: [Self; 2] = [Self::Terraform, Self::Tofu];

    /// The name of its binary.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Tofu => "tofu",
        }
    }

    /// Looks one up by the name of its binary.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.as_str() == name)
    }
}

/// A binary that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binary {
    path: PathBuf,
    engine: Engine,
    version: Version,
    version_text: String,
}

/// The binaries of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    found: Vec<Binary>,
    preferred: Engine,
}

/// Why no binary runs a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBinary {
    /// There is none at all.
    #[error("no Terraform and no OpenTofu on this runner: {0}")]
    None(String),
    /// None has the version.
    #[error("the template requires {required}; this runner has {found}")]
    Version {
        /// What the template says.
        required: String,
        /// What is here.
        found: String,
    },
}

impl Binaries {
    /// Looks for binaries: those given, those in the directory of versions, else those on the path. A file there is
    /// named `terraform` or `tofu`, or begins so (`terraform_1.9.5`), or lies in a directory named by its version.
    ///
    /// # Errors
    /// When there is none that says its version.
    pub async fn find(
        given: &[PathBuf],
        versions: Option<&Path>,
        path: &str,
        preferred: Engine,
    ) -> Result<Self, NoBinary> {
        let mut candidates: Vec<PathBuf> = given.to_vec();
        if let Some(directory) = versions {
            candidates.extend(in_directory(directory));
        }
        if candidates.is_empty() {
            let on_path = |name: &str| path.split(':').map(|part| Path::new(part).join(name)).find(|at| at.is_file());
            candidates.extend(Engine::ALL.iter().filter_map(|engine| on_path(engine.as_str())));
        }
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for candidate in candidates {
            match ask(&candidate, path).await {
                Ok(binary) => found.push(binary),
                Err(problem) => problems.push(format!("{}: {problem}", candidate.display())),
            }
        }
        for problem in &problems {
            tracing::warn!(problem, "a binary cannot be used");
        }
        if found.is_empty() {
            let nothing = "none is given, and none is on the path".to_owned();
            return Err(NoBinary::None(if problems.is_empty() { nothing } else { problems.join("; ") }));
        }
        found.sort_by(|one, another| another.version.cmp(&one.version));
        Ok(Self { found, preferred })
    }

    /// The newest binary that a template takes.
    pub(crate) fn choose(&self, template: &Declarations) -> Result<(&Path, String), NoBinary> {
        let engine = if template.for_tofu { Engine::Tofu } else { self.preferred };
        let takes =
            |binary: &&Binary| template.required_versions.iter().all(|requirement| meets(&binary.version, requirement));
        let takes = |binary: &&Binary| (binary.engine == engine || !template.for_tofu) && takes(binary);
        let fitting: Vec<&Binary> = self.found.iter().filter(takes).collect();
        let wanted = fitting.iter().find(|binary| binary.engine == engine).or(fitting.first());
        let Some(binary) = wanted else {
            let engine = template.for_tofu.then(|| "OpenTofu".to_owned());
            let required: Vec<String> = engine.into_iter().chain(template.required_versions.iter().cloned()).collect();
            return Err(NoBinary::Version { required: required.join(", "), found: self.to_string() });
        };
        Ok((&binary.path, format!("{} {}", binary.engine.as_str(), binary.version_text)))
    }
}

impl std::fmt::Display for Binaries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.found.iter().map(|binary| format!("{} {}", binary.engine.as_str(), binary.version_text));
        formatter.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

fn in_directory(directory: &Path) -> Vec<PathBuf> {
    let entries = |directory: &Path| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_binary = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        path.is_file() && Engine::ALL.iter().any(|engine| name.starts_with(engine.as_str()))
    };
    let (directories, files): (Vec<_>, Vec<_>) = entries(directory).into_iter().partition(|path| path.is_dir());
    files.into_iter().chain(directories.iter().flat_map(|inner| entries(inner))).filter(is_binary).collect()
}

/// Asks a binary for its version. It gets no environment but the path.
async fn ask(binary: &Path, path: &str) -> Result<Binary, String> {
    let mut command = Command::new(binary);
    command.args(["version", "-json"]).env_clear().env("PATH", path).env("CHECKPOINT_DISABLE", "1").current_dir("/");
    command.env("TF_CLI_CONFIG_FILE", "/dev/null").kill_on_drop(true);
    let answered = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = answered.map_err(|_| "it does not answer".to_owned())?.map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| "it does not say its version".to_owned())?;
    let version_text = answer.get("terraform_version").and_then(Value::as_str).unwrap_or_default().to_owned();
    let version = Version::parse(&version_text).ok_or("its version cannot be read")?;
    let name = binary.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let engine = if name.starts_with(Engine::Tofu.as_str()) { Engine::Tofu } else { Engine::Terraform };
    Ok(Binary { path: binary.to_path_buf(), engine, version, version_text })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A directory of scripts that say a version.
    fn binaries(versions: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, version) in versions {
            let file = directory.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, format!("#!/bin/sh\necho '{{\"terraform_version\": \"{version}\"}}'\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        directory
    }

    async fn find(directory: &Path) -> Binaries {
        Binaries::find(&[], Some(directory), "/bin:/usr/bin", Engine::Terraform).await.unwrap()
    }

    fn requires(requirement: &str, for_tofu: bool) -> Declarations {
        Declarations { required_versions: vec![requirement.to_owned()], for_tofu, ..Declarations::default() }
    }

    #[tokio::test]
    async fn the_newest_that_the_template_takes_is_chosen() {
        let versions =
            [("1.5.7/terraform", "1.5.7"), ("terraform_1.9.5", "1.9.5"), ("tofu_1.10", "1.10.2"), ("README", "9")];
        let directory = binaries(&versions);
        let binaries = find(directory.path()).await;
        let chosen = |declared: Declarations| binaries.choose(&declared).map(|(_, name)| name);
        assert_eq!(chosen(Declarations::default()).unwrap(), "terraform 1.9.5");
        assert_eq!(chosen(requires("~> 1.5.0", false)).unwrap(), "terraform 1.5.7");
        assert_eq!(chosen(requires(">= 1.10", false)).unwrap(), "tofu 1.10.2");
        assert_eq!(chosen(requires(">= 1.0", true)).unwrap(), "tofu 1.10.2");
        let refused = chosen(requires("< 1.5", false)).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the template requires < 1.5; this runner has tofu 1.10.2, terraform 1.9.5, terraform 1.5.7"
        );
    }

    #[tokio::test]
    async fn none_is_said_with_its_reason() {
        let directory = tempfile::tempdir().unwrap();
        let none = Binaries::find(&[], None, &directory.path().display().to_string(), Engine::Terraform).await;
        assert!(none.unwrap_err().to_string().contains("none is on the path"));
        let broken = Binaries::find(&[PathBuf::from("/bin/false")], None, "", Engine::Terraform).await;
        assert!(broken.unwrap_err().to_string().contains("/bin/false: it does not say its version"));
    }
}
