//! Lists that AWS hands out page by page.

use std::sync::Arc;

use holdfast_core::model::snapshot::{Read, ReadError};

use super::collector::Collector;
use crate::client::Api;

/// Most pages of one list: a list without end is an error, not a reason to run out of memory.
pub(super) const MAX_PAGES: usize = 2_000;

/// A list, or why it could not be read.
pub(super) type Pages<T> = Read<Vec<T>>;

/// A list that did not end after [`MAX_PAGES`].
pub(super) fn endless(collector: &Collector<'_>, api: Api) -> Arc<ReadError> {
    collector.aws.error(
        api,
        &collector.aws.scope.to_string(),
        "TooManyPages",
        format!("{}:{} did not end after {MAX_PAGES} pages", api.service, api.operation),
    )
}

/// Reads pages one after the other.
macro_rules! pages {
    ($collector:expr, $api:expr, $token:ident => $request:expr, $items:ident, $next:ident) => {{
        let collector = $collector;
        let scope = collector.aws.scope.to_string();
        let mut all = Vec::new();
        let mut $token: Option<String> = None;
        let mut result: crate::inventory::pages::Pages<_> = Err(crate::inventory::pages::endless(collector, $api));
        for _ in 0..crate::inventory::pages::MAX_PAGES {
            collector.progress.more(1);
            let page = collector.aws.call($api, &scope, $request.send()).await;
            collector.progress.done(1);
            match page {
                Err(e) => {
                    result = Err(e);
                    break;
                }
                Ok(page) => {
                    all.extend(page.$items.unwrap_or_default());
                    let next = page.$next.filter(|t| !t.is_empty());
                    // The same token twice would be a loop.
                    if next.is_none() || next == $token {
                        result = Ok(std::mem::take(&mut all));
                        break;
                    }
                    $token = next;
                }
            }
        }
        result
    }};
}
pub(super) use pages;
