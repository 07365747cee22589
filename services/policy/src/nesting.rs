//! How deep a text is nested. Cedar reads brackets and conditionals by recursion and without a limit of its own, so
//! that a text with enough of them would overflow the stack.

use crate::error::Finding;

/// Most brackets within each other, with the conditionals of the rule, which can be within each other without any.
/// Cedar needs about 16 KiB of stack for each, unoptimized 60.
pub(crate) const MAX_NESTING: usize = 16;

/// Refuses what is nested too deeply.
pub(crate) fn check(text: &str) -> Result<(), Finding> {
    let bytes = text.as_bytes();
    let (mut brackets, mut conditionals, mut at) = (0_usize, 0_usize, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'(' | b'[' | b'{' => brackets += 1,
            b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
            b';' => conditionals = 0,
            b'i' if is_conditional(bytes, at) => conditionals += 1,
            b'"' => at += text_length(bytes.get(at + 1..).unwrap_or_default()),
            b'/' if bytes.get(at + 1) == Some(&b'/') => at += line_length(bytes.get(at + 1..).unwrap_or_default()),
            _ => {}
        }
        if brackets + conditionals > MAX_NESTING {
            let message = format!("brackets and conditionals are nested more than {MAX_NESTING} deep");
            return Err(Finding::at(text, at, message));
        }
        at += 1;
    }
    Ok(())
}

/// Whether the word `if` stands here.
fn is_conditional(bytes: &[u8], at: usize) -> bool {
    let in_word = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    bytes.get(at + 1) == Some(&b'f') && !in_word(at.checked_sub(1)) && !in_word(Some(at + 2))
}

/// Bytes to the quote that ends a text, with it.
fn text_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Bytes to the end of a line.
fn line_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())
}
