//! The grammar: terms, `AND`, `OR`, `NOT`, parentheses, and which value belongs to which key.

use chancery_domain::Timestamp;
use jiff::tz::TimeZone;

use crate::ast::{Expr, Filter, PathRoot, Predicate};
use crate::cursor::{Cursor, Ends};
use crate::error::FilterError;
use crate::keys::{Key, Target, key, looks_like_key};
use crate::raw::Raw;

/// Longest text of a filter, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// Deepest nesting of parentheses and negations.
pub const MAX_DEPTH: usize = 64;
/// Most terms in one filter.
pub const MAX_TERMS: usize = 512;
/// Most items in one list.
pub const MAX_LIST: usize = 1000;

/// What a filter means depends on who asks, when and where.
#[derive(Debug, Clone)]
pub struct Context {
    /// The time `now` stands for.
    pub now: Timestamp,
    /// The login name `me` stands for.
    pub me: Option<String>,
    /// The zone of times written without one.
    pub zone: TimeZone,
}

impl Context {
    /// Nobody asks, at `now`, in UTC.
    pub fn new(now: Timestamp) -> Self {
        Self { now, me: None, zone: TimeZone::UTC }
    }
}

impl Filter {
    /// Reads a filter. The empty text asks for every event.
    ///
    /// ```
    /// use chancery_filter::{Context, Filter};
    ///
    /// let context = Context::new("2026-01-31T12:00:00Z".parse()?);
    /// let filter = Filter::parse("outcome:denied time:-1h", &context)?;
    /// assert_eq!(filter.to_string(), "outcome:denied AND time:2026-01-31T11:00:00.000000Z..");
    ///
    /// let text = "outcome:sucess";
    /// let error = Filter::parse(text, &context).expect_err("misspelt");
    /// assert_eq!((error.position, error.length), (8, 6));
    /// assert_eq!(error.suggestions, ["success"]);
    /// println!("{}", error.render(text));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(text: &str, context: &Context) -> Result<Self, FilterError> {
        if text.len() > MAX_LENGTH {
            let end = text.floor_char_boundary(MAX_LENGTH);
            return Err(FilterError::new(text, end..end, format!("a filter has at most {MAX_LENGTH} bytes")));
        }
        let mut parser = Parser { cursor: Cursor::new(text), context, terms: 0, depth: 0 };
        Ok(Self { root: parser.all()? })
    }
}

/// Reads one filter.
pub(crate) struct Parser<'a> {
    pub(crate) cursor: Cursor<'a>,
    pub(crate) context: &'a Context,
    terms: usize,
    depth: usize,
}

impl Parser<'_> {
    fn all(&mut self) -> Result<Expr, FilterError> {
        self.cursor.skip_spaces();
        if self.cursor.at_end() {
            return Ok(Expr::All);
        }
        let root = self.any_of()?;
        if self.cursor.at_end() { Ok(root) } else { Err(self.cursor.error_here("this parenthesis is never opened")) }
    }

    fn any_of(&mut self) -> Result<Expr, FilterError> {
        let mut terms = vec![self.all_of()?];
        while self.keyword("OR") {
            terms.push(self.all_of()?);
        }
        Ok(Expr::or(terms))
    }

    fn all_of(&mut self) -> Result<Expr, FilterError> {
        let mut terms = vec![self.term()?];
        loop {
            self.cursor.skip_spaces();
            if self.cursor.at_gap() || self.sees("OR") {
                return Ok(Expr::and(terms));
            }
            self.keyword("AND");
            terms.push(self.term()?);
        }
    }

    fn sees(&self, keyword: &str) -> bool {
        self.cursor
            .rest()
            .strip_prefix(keyword)
            .is_some_and(|rest| rest.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"')))
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        self.cursor.skip_spaces();
        self.sees(keyword) && self.cursor.eat(keyword)
    }

    fn term(&mut self) -> Result<Expr, FilterError> {
        if self.keyword("NOT") {
            return self.deeper(|parser| parser.term().map(Expr::negated));
        }
        match self.cursor.peek() {
            None => return Err(self.cursor.error_here("a term is missing at the end")),
            Some(')') => return Err(self.cursor.error_here("a term is missing before this parenthesis")),
            Some('(') => return self.deeper(Self::parenthesised),
            Some('-' | '!') => {
                let mut ahead = self.cursor.clone();
                ahead.next();
                if !ahead.at_gap() {
                    self.cursor = ahead;
                    return self.deeper(|parser| parser.term().map(Expr::negated));
                }
            }
            Some(_) => {}
        }
        for keyword in ["AND", "OR"] {
            if self.sees(keyword) {
                let message = format!("a term is missing before `{keyword}`; quote it to search for the word");
                let start = self.cursor.position();
                return Err(self.cursor.error_in(start..start + keyword.len(), message));
            }
        }
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.cursor.error_here(format!("a filter has at most {MAX_TERMS} terms")));
        }
        self.leaf()
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Result<Expr, FilterError>) -> Result<Expr, FilterError> {
        if self.depth == MAX_DEPTH {
            let message = format!("parentheses and negations nest at most {MAX_DEPTH} deep");
            return Err(self.cursor.error_here(message));
        }
        self.depth += 1;
        let expr = read(self)?;
        self.depth -= 1;
        Ok(expr)
    }

    fn parenthesised(&mut self) -> Result<Expr, FilterError> {
        let start = self.cursor.position();
        self.cursor.eat("(");
        let inner = self.any_of()?;
        if self.cursor.eat(")") {
            Ok(inner)
        } else {
            Err(self.cursor.error_in(start..start + 1, "this parenthesis is never closed"))
        }
    }

    fn leaf(&mut self) -> Result<Expr, FilterError> {
        let mut ahead = self.cursor.clone();
        if let Some(key) = key(&mut ahead) {
            if ahead.peek() == Some(':') {
                self.cursor = ahead;
                return self.keyed(&key);
            }
            if let Some(path) = key.path().filter(|path| matches!(path.root, PathRoot::Changes(_)) && ahead.at_gap()) {
                self.cursor = ahead;
                return Ok(Expr::Path { path, predicate: Predicate::Exists });
            }
            if ahead.rest().starts_with(['=', '<', '>']) && key.target(&ahead).is_ok() {
                let operator = ahead.take_while(|c| matches!(c, '=' | '<' | '>'));
                let start = ahead.position() - operator.len();
                let colon = format!(":{}", operator.trim_matches('='));
                let meant = if operator.len() == 2 { format!(":{operator}") } else { colon };
                return Err(ahead.error(start, "a colon separates a field from its value").suggesting([meant]));
            }
        }
        self.text()
    }

    fn text(&mut self) -> Result<Expr, FilterError> {
        let start = self.cursor.position();
        let word = self.cursor.word(Ends::Text)?;
        if word.pattern.as_literal() == Some("") {
            return Err(self.cursor.error(start, "there is no text to search for"));
        }
        let before_colon = self.cursor.since(start).split_once(':').map(|(before, _)| before);
        if let Some(before) = before_colon.filter(|before| looks_like_key(before) && !word.quoted) {
            let span = start..start + before.len();
            return Err(self.cursor.error_in(span, "this is no field; quote text that contains a colon"));
        }
        Ok(Expr::text(&word.pattern))
    }

    /// The colon and the value of a key.
    fn keyed(&mut self, key: &Key) -> Result<Expr, FilterError> {
        let target = key.target(&self.cursor)?;
        self.cursor.eat(":");
        if self.cursor.at_gap() {
            let message = "a value is missing right after the colon";
            return Err(self.cursor.error(self.cursor.position() - 1, message));
        }
        let raws = self.raw_values(match &target {
            Target::Field(field) => field.kind().has_order(),
            Target::Path(_) => true,
            Target::Coder(key) => key.has_order(),
        })?;
        if !self.cursor.at_gap() {
            return Err(self.cursor.error_here("a space is missing after the value"));
        }
        self.meaning(&target, &raws)
    }

    fn meaning(&self, target: &Target, raws: &[Raw]) -> Result<Expr, FilterError> {
        let (mut predicates, mut exprs) = (Vec::new(), Vec::new());
        for raw in raws {
            match target {
                Target::Path(path) => predicates.push(self.path_predicate(path, raw)?),
                Target::Coder(key) => exprs.push(self.coder_term(*key, raw)?),
                Target::Field(field) => match self.short_name(*field, raw)? {
                    Some(expr) => exprs.push(expr),
                    None => predicates.push(self.field_predicate(*field, raw)?),
                },
            }
        }
        if let Some(predicate) = Predicate::any_of(predicates) {
            exprs.push(match target {
                Target::Path(path) => Expr::Path { path: path.clone(), predicate },
                Target::Field(field) => Expr::field(*field, predicate),
                Target::Coder(_) => Expr::All,
            });
        }
        Ok(Expr::or(exprs))
    }
}
