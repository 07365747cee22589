//! Versions and what is required of them, as Terraform writes both.

use std::cmp::Ordering;

/// A version; a pre-release comes before its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: [u64; 3],
    pre_release: Option<String>,
}

impl Version {
    /// Reads `1.9`, `1.9.5`, `v1.9.5-beta1` and the like.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (numbers, pre_release) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre.to_owned())),
            None => (text, None),
        };
        let mut parsed = [0; 3];
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() > parsed.len() {
            return None;
        }
        for (slot, part) in parsed.iter_mut().zip(parts) {
            *slot = part.parse().ok()?;
        }
        Some(Self { numbers: parsed, pre_release })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre_release, &other.pre_release) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(another)) => one.cmp(another),
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether a version meets a requirement such as `>= 1.3, < 2.0` or `~> 1.9`. One that cannot be read is met by none.
pub(crate) fn meets(version: &Version, requirement: &str) -> bool {
    requirement.split(',').all(|part| meets_one(version, part.trim()).unwrap_or(false))
}

fn meets_one(version: &Version, requirement: &str) -> Option<bool> {
    let operators = ["~>", ">=", "<=", "!=", ">", "<", "="];
    let found = operators.into_iter().find_map(|operator| Some((operator, requirement.strip_prefix(operator)?)));
    let (operator, text) = found.unwrap_or(("=", requirement));
    let required = Version::parse(text)?;
    // A pre-release is taken only by name.
    if version.pre_release.is_some() && *version != required {
        return Some(false);
    }
    Some(match operator {
        "~>" => {
            let given = text.trim().trim_start_matches('v').split(['-', '+']).next()?.split('.').count();
            let fixed = given.saturating_sub(1).max(1);
            *version >= required && version.numbers.get(..fixed) == required.numbers.get(..fixed)
        }
        ">=" => *version >= required,
        "<=" => *version <= required,
        "!=" => *version != required,
        ">" => *version > required,
        "<" => *version < required,
        _ => *version == required,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_as_terraform_does() {
        for (version, requirement, met) in [
            ("1.9.5", ">= 1.3, < 2.0", true),
            ("2.0.0", ">= 1.3, < 2.0", false),
            ("1.9.5", "~> 1.9", true),
            ("1.10.0", "~> 1.9", true),
            ("2.0.0", "~> 1.9", false),
            ("1.9.9", "~> 1.9.3", true),
            ("1.10.0", "~> 1.9.3", false),
            ("1.9.2", "~> 1.9.3", false),
            ("1.9.5", "1.9.5", true),
            ("1.9.5", "= 1.9.4", false),
            ("1.9.5", "!= 1.9.4", true),
            ("1.9.0-beta1", ">= 1.8", false),
            ("1.9.0-beta1", "1.9.0-beta1", true),
            ("1.9.5", "nonsense", false),
        ] {
            let parsed = Version::parse(version).unwrap();
            assert_eq!(meets(&parsed, requirement), met, "{version} {requirement}");
        }
        assert!(Version::parse("1.9.0-rc1").unwrap() < Version::parse("1.9.0").unwrap());
        assert_eq!(Version::parse("one"), None);
    }
}
