//! Tokens, looked up on every request.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chancery_domain::tokens::Token;
use sqlx::AnyPool;

use crate::{StateError, queries};

/// How long a node of a cluster may believe what it has read of a token. Withdrawing one takes this long to answer,
/// so that it works nowhere any more then.
pub(crate) const BELIEVED: Duration = Duration::from_secs(1);

/// The tokens in memory: all of them where this process alone folds them, and else what was read a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    shared: bool,
    by_id: RwLock<HashMap<String, (Instant, Arc<Token>)>>,
}

impl Tokens {
    pub(crate) fn new(shared: bool) -> Self {
        Self { shared, by_id: RwLock::default() }
    }

    /// One token.
    pub(crate) async fn find(&self, pool: &AnyPool, id: &str) -> Result<Option<Arc<Token>>, StateError> {
        let known = self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        match known {
            Some((read, token)) if !self.shared || read.elapsed() < BELIEVED => return Ok(Some(token)),
            None if !self.shared => return Ok(None),
            _ => {}
        }
        let reading = Instant::now();
        let found = queries::find_token(pool, id).await?.map(Arc::new);
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(token) => drop(by_id.insert(id.to_owned(), (reading, token.clone()))),
            None => drop(by_id.remove(id)),
        }
        Ok(found)
    }

    /// Reads these again, after they were changed here.
    pub(crate) async fn refresh(&self, pool: &AnyPool, ids: &BTreeSet<String>) -> Result<(), StateError> {
        for id in ids {
            let reading = Instant::now();
            let Some(token) = queries::find_token(pool, id).await? else { continue };
            let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
            by_id.insert(id.clone(), (reading, Arc::new(token)));
        }
        Ok(())
    }

    /// Reads all of them, at the start.
    pub(crate) async fn load(&self, pool: &AnyPool) -> Result<(), StateError> {
        let reading = Instant::now();
        let tokens = queries::tokens(pool).await?;
        let by_id = tokens.into_iter().map(|token| (token.id.clone(), (reading, Arc::new(token)))).collect();
        *self.by_id.write().unwrap_or_else(PoisonError::into_inner) = by_id;
        Ok(())
    }
}
