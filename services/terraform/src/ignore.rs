//! What of a directory does not belong into a template: `.terraformignore`, which is written like a `.gitignore`.

/// Left out whatever the file says: what Terraform and Git keep for themselves, and states, which may hold secrets.
const ALWAYS: &str = ".terraform/\n.git/\n*.tfstate\n*.tfstate.*\n";

/// Which paths are left out.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// Parts of the pattern.
    parts: Vec<String>,
    /// It is about directories alone.
    directories: bool,
    /// It takes back in what an earlier rule leaves out.
    takes_back: bool,
}

impl Ignore {
    /// The rules of a `.terraformignore`; empty text for none.
    pub fn parse(text: &str) -> Self {
        Self { rules: text.lines().filter_map(Rule::parse).collect() }
    }

    /// Whether a path is left out, with all that is below it when it is a directory.
    pub fn leaves_out(&self, path: &str, is_directory: bool) -> bool {
        let always = Self::parse(ALWAYS);
        if always.rules.iter().any(|rule| rule.matches(path, is_directory)) {
            return true;
        }
        let last = self.rules.iter().rev().find(|rule| rule.matches(path, is_directory));
        last.is_some_and(|rule| !rule.takes_back)
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (takes_back, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (directories, pattern) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        if pattern.is_empty() || pattern.starts_with('#') {
            return None;
        }
        let mut parts: Vec<String> = pattern.split('/').map(str::to_owned).collect();
        if parts.first().is_some_and(String::is_empty) {
            parts.remove(0);
        } else if parts.len() == 1 {
            // A name alone is meant at any depth.
            parts.insert(0, "**".to_owned());
        }
        Some(Self { parts, directories, takes_back })
    }

    fn matches(&self, path: &str, is_directory: bool) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        (is_directory || !self.directories) && matches(&parts, &path)
    }
}

fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            matches(rest, path) || path.split_first().is_some_and(|(_, path)| matches(pattern, path))
        }
        (Some((part, rest)), Some((name, path))) => fits(part.as_bytes(), name.as_bytes()) && matches(rest, path),
        _ => false,
    }
}

/// Whether a name fits a pattern with `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => fits(rest, name) || name.split_first().is_some_and(|(_, name)| fits(pattern, name)),
        (Some((b'?', rest)), Some((_, name))) => fits(rest, name),
        (Some((wanted, rest)), Some((byte, name))) => wanted == byte && fits(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_those_of_a_gitignore() {
        let ignore = Ignore::parse("# notes\n\n*.md\n!README.md\n/local.tf\nbuild/\ndocs/*.png\na/**/z\nx?.tf\n");
        for (path, is_directory, left_out) in [
            ("notes.md", false, true),
            ("modules/notes.md", false, true),
            ("README.md", false, false),
            ("local.tf", false, true),
            ("modules/local.tf", false, false),
            ("build", true, true),
            ("modules/build", true, true),
            ("build", false, false),
            ("docs/a.png", false, true),
            ("docs/b/a.png", false, false),
            ("a/z", false, true),
            ("a/b/c/z", false, true),
            ("b/a/z", false, false),
            ("x1.tf", false, true),
            ("x.tf", false, false),
            ("main.tf", false, false),
        ] {
            assert_eq!(ignore.leaves_out(path, is_directory), left_out, "{path}");
        }
    }

    #[test]
    fn what_may_hold_secrets_is_left_out_whatever_is_said() {
        let ignore = Ignore::parse("!terraform.tfstate\n!.terraform/\n!.git/\n");
        for (path, is_directory) in [
            ("terraform.tfstate", false),
            ("modules/x/terraform.tfstate.backup", false),
            (".terraform", true),
            ("modules/x/.terraform", true),
            (".git", true),
        ] {
            assert!(ignore.leaves_out(path, is_directory), "{path}");
        }
        assert!(!ignore.leaves_out(".terraform.lock.hcl", false));
    }
}
