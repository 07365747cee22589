//! Lines for people from the lines that Terraform writes for machines.

use serde::Deserialize;
use serde_json::Value;

use crate::logs::Level;

/// A line of `-json` output, as far as it matters.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "@level", default)]
    level: String,
    #[serde(rename = "@message", default)]
    message: String,
    #[serde(default)]
    diagnostic: Option<Diagnostic>,
    #[serde(default)]
    hook: Value,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Diagnostic {
    #[serde(default)]
    severity: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    range: Option<Range>,
}

#[derive(Debug, Deserialize)]
struct Range {
    filename: String,
    start: Place,
}

#[derive(Debug, Deserialize)]
struct Place {
    line: u64,
}

/// What a line says, and how much it matters. A line that is no JSON says what it says.
pub(crate) fn said(line: &str) -> Option<(Level, String)> {
    let Ok(line) = serde_json::from_str::<Line>(line) else {
        return plain(line);
    };
    if let Some(diagnostic) = line.diagnostic {
        let level = if diagnostic.severity == "error" { Level::Error } else { Level::Warn };
        return Some((level, diagnostic.text()));
    }
    let level = match line.level.as_str() {
        "error" => Level::Error,
        "warn" => Level::Warn,
        _ => Level::Info,
    };
    match line.kind.as_str() {
        // Said by the change summary and the report.
        "outputs" => None,
        // What a script wrote, as it wrote it: the address before each line would tear words apart.
        "provision_progress" => {
            let output = line.hook.get("output").and_then(Value::as_str);
            Some((level, without_colours(output.unwrap_or(&line.message))))
        }
        _ => (!line.message.is_empty()).then(|| (level, without_colours(&line.message))),
    }
}

/// A line for people, out of the boxes that Terraform draws around mistakes.
fn plain(line: &str) -> Option<(Level, String)> {
    let text = without_colours(line);
    let text = text.trim_matches(|character: char| character.is_whitespace() || "│╷╵".contains(character));
    let level = match text {
        "" => return None,
        text if text.starts_with("Error: ") => Level::Error,
        text if text.starts_with("Warning: ") => Level::Warn,
        _ => Level::Info,
    };
    Some((level, text.to_owned()))
}

impl Diagnostic {
    fn text(&self) -> String {
        let mut text = if self.severity == "error" { "Error: " } else { "Warning: " }.to_owned();
        text.push_str(&self.summary);
        if !self.address.is_empty() {
            text.extend([" (", &self.address, ")"]);
        }
        if let Some(range) = &self.range {
            let line = range.start.line.to_string();
            text.extend([" at ", &range.filename, " line ", &line]);
        }
        if !self.detail.is_empty() {
            text.push('\n');
            text.push_str(&self.detail);
        }
        without_colours(&text)
    }
}

/// The text without the escape sequences of terminals and other control characters.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            if characters.next_if_eq(&'[').is_some() {
                // Parameters, and one letter that ends them.
                while characters.next_if(|inner| matches!(inner, ' '..='?')).is_some() {}
                characters.next();
            }
        } else if !character.is_control() || matches!(character, '\n' | '\t') {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_diagnostics_and_plain_lines_become_lines() {
        let message = r#"{"@level":"info","@message":"terraform_data.a: Creating...","type":"apply_start"}"#;
        assert_eq!(said(message), Some((Level::Info, "terraform_data.a: Creating...".to_owned())));
        let progress =
            r#"{"@level":"info","@message":"a: (local-exec): hi","hook":{"output":"hi"},"type":"provision_progress"}"#;
        assert_eq!(said(progress), Some((Level::Info, "hi".to_owned())));
        let diagnostic = r#"{"@level":"error","@message":"Error: no","diagnostic":{"severity":"error","summary":"no",
            "detail":"because\nof it","address":"terraform_data.a","range":{"filename":"main.tf","start":{"line":3}}}}"#;
        let text = "Error: no (terraform_data.a) at main.tf line 3\nbecause\nof it";
        assert_eq!(said(diagnostic), Some((Level::Error, text.to_owned())));
        assert_eq!(said("\u{1b}[1m\u{1b}[31mred\u{1b}[0m\u{7}"), Some((Level::Info, "red".to_owned())));
        assert_eq!(said(r#"{"@level":"info","@message":"Outputs: 1","type":"outputs"}"#), None);
        assert_eq!(said("   "), None);
        assert_eq!(said("╷"), None);
        let boxed = "\u{1b}[31m│\u{1b}[0m \u{1b}[0mError: no";
        assert_eq!(said(boxed), Some((Level::Error, "Error: no".to_owned())));
    }
}
