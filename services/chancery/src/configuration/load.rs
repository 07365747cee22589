//! Reading the sources and telling every mistake at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, Table};

use super::settings::{SETTINGS, Setting, Value, platform_directory};

/// A mistake, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// `file:line:column`, a variable, or a flag.
    pub(crate) place: String,
    /// What is wrong.
    pub(crate) reason: String,
}

/// Every setting's value and where it came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loaded {
    values: BTreeMap<&'static str, (Value, String)>,
}

impl Loaded {
    /// A setting's value.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key).map(|(value, _)| value)
    }

    /// Every setting with its value, secrets masked, and where it came from.
    pub(crate) fn shown(&self) -> Vec<(&'static Setting, String, String)> {
        let shown = |setting: &'static Setting| {
            let (value, origin) = self.values.get(setting.key)?;
            let text = match value {
                Value::Text(text) if setting.kind.is_secret() && !text.is_empty() => "********".to_owned(),
                Value::Text(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
            };
            Some((setting, text, origin.clone()))
        };
        SETTINGS.iter().filter_map(shown).collect()
    }

    /// What a log in Kafka needs beside it.
    fn missing(&self) -> Vec<Mistake> {
        let given = |key| self.value(key).is_some_and(|value| *value != Value::Text(String::new()));
        if self.value("log.engine") != Some(&Value::Text("kafka".to_owned())) {
            return Vec::new();
        }
        let needed = [
            ("kafka.bootstrap_servers", "the brokers"),
            ("state.postgres", "the database of the cluster's state"),
            ("lake.url", "the lake that all nodes share"),
        ];
        let sealed =
            given("oidc.file").then_some(("oidc.state_key", "the key to sign-ins that have begun at another node"));
        let missing = needed.into_iter().chain(sealed).filter(|(key, _)| !given(key));
        let mistake = |(key, what): (&str, &str)| Mistake {
            place: key.to_owned(),
            reason: format!("`log.engine = \"kafka\"` needs `{key}`, {what}"),
        };
        missing.map(mistake).collect()
    }

    fn set(&mut self, setting: &'static Setting, value: Value, origin: String) {
        self.values.insert(setting.key, (value, origin));
    }
}

/// Reads file, environment and flags. `flags` are pairs of key and text.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
    flags: &[(&str, String)],
) -> Result<Loaded, Vec<Mistake>> {
    let mut loaded = Loaded::default();
    let mut mistakes = Vec::new();
    for setting in &SETTINGS {
        loaded.set(setting, setting.default_value(), "default".to_owned());
    }
    let explicit = file.map(Path::to_owned).or_else(|| environment("CHANCERY_CONFIG").map(PathBuf::from));
    let usual = PathBuf::from(platform_directory(true)).join("chancery.toml");
    match explicit {
        Some(path) => read_file(&path, &mut loaded, &mut mistakes),
        None if usual.is_file() => read_file(&usual, &mut loaded, &mut mistakes),
        None => {}
    }
    for setting in &SETTINGS {
        let variable = setting.variable();
        if let Some(text) = environment(&variable) {
            set(&mut loaded, &mut mistakes, setting, &text, format!("environment {variable}"));
        }
    }
    for (key, text) in flags {
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == *key) {
            set(&mut loaded, &mut mistakes, setting, text, "flag".to_owned());
        }
    }
    mistakes.extend(loaded.missing());
    if mistakes.is_empty() { Ok(loaded) } else { Err(mistakes) }
}

/// Checks one file alone.
pub(crate) fn check_file(path: &Path) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    read_file(path, &mut Loaded::default(), &mut mistakes);
    mistakes
}

fn set(loaded: &mut Loaded, mistakes: &mut Vec<Mistake>, setting: &'static Setting, text: &str, place: String) {
    match setting.parse(text) {
        Ok(value) => loaded.set(setting, value, place),
        Err(reason) => mistakes.push(Mistake { place, reason }),
    }
}

fn read_file(path: &Path, loaded: &mut Loaded, mistakes: &mut Vec<Mistake>) {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return mistakes.push(Mistake { place: name, reason: format!("cannot be read: {error}") }),
    };
    match Document::parse(text.as_str()) {
        Ok(document) => read_table(&name, &text, "", document.as_table(), loaded, mistakes),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            mistakes.push(Mistake { place: place(&name, &text, at), reason: error.message().to_owned() });
        }
    }
}

fn read_table(name: &str, text: &str, prefix: &str, table: &Table, loaded: &mut Loaded, mistakes: &mut Vec<Mistake>) {
    for (key, item) in table {
        let full = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        let key_at = table.key(key).and_then(toml_edit::Key::span).map_or(0, |span| span.start);
        if let Item::Table(inner) = item
            && SETTINGS.iter().any(|setting| setting.key.starts_with(&format!("{full}.")))
        {
            read_table(name, text, &full, inner, loaded, mistakes);
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == full) else {
            mistakes.push(Mistake { place: place(name, text, key_at), reason: unknown(&full) });
            continue;
        };
        let at = place(name, text, item.span().map_or(key_at, |span| span.start));
        let given = item.as_str().map(str::to_owned).or_else(|| item.as_integer().map(|number| number.to_string()));
        match given {
            Some(given) => set(loaded, mistakes, setting, &given, at),
            None => mistakes.push(Mistake { place: at, reason: format!("`{full}` must be a text or a whole number") }),
        }
    }
}

fn unknown(key: &str) -> String {
    let nearest =
        SETTINGS.iter().max_by(|a, b| strsim::jaro_winkler(a.key, key).total_cmp(&strsim::jaro_winkler(b.key, key)));
    match nearest {
        Some(setting) if strsim::jaro_winkler(setting.key, key) > 0.8 => {
            format!("there is no setting `{key}`; did you mean `{}`?", setting.key)
        }
        _ => format!("there is no setting `{key}`"),
    }
}

/// `file:line:column` of a byte offset.
fn place(name: &str, text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    format!("{name}:{line}:{column}")
}
