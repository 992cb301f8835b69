//! The listing: the keys of what is overdue, in S3's order, which is that of the minutes.

use futures_util::{Stream, StreamExt, TryStreamExt, future, stream};

use crate::collect::Collect;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::location::S3Prefix;
use crate::pending::{self, PendingKey};

/// An object where requests are remembered.
pub(super) enum ListedObject {
    /// A request whose answer is overdue.
    Key(PendingKey),
    /// Nothing that `submit` put there.
    Other,
}

/// A page of the listing.
struct Page {
    listed: Vec<ListedObject>,
    /// Behind which name the next page begins; `None` if nothing more is overdue.
    next: Option<String>,
}

impl Collect {
    /// What is overdue, page by page, until nothing more is to be begun.
    pub(super) fn overdue(
        &self,
        location: &S3Prefix,
        deadline: Deadline,
    ) -> impl Stream<Item = Result<ListedObject, Fault>> {
        let pages = stream::try_unfold(Some(String::new()), move |after| async move {
            let Some(after) = after.filter(|_| deadline.check_start().is_ok()) else { return Ok(None) };
            let page = deadline.run(Box::pin(self.page(location, &after))).await?;
            Ok(Some((stream::iter(page.listed.into_iter().map(Ok)), page.next)))
        });
        pages.try_flatten().take_while(move |_| future::ready(deadline.check_start().is_ok()))
    }

    async fn page(&self, location: &S3Prefix, after: &str) -> Result<Page, Fault> {
        let prefix = location.key_prefix();
        let call = self.s3.list_objects_v2().bucket(location.bucket()).prefix(prefix);
        let call = if after.is_empty() { call } else { call.start_after(format!("{prefix}{after}")) };
        let page = call.send().await.map_err(|error| Fault::from_aws("ListObjectsV2", error))?;
        let now = pending::now_ms() / 1_000;
        let mut names = page.contents().iter().filter_map(|object| object.key()?.strip_prefix(prefix));
        let mut overdue = Vec::new();
        let is_over = loop {
            match names.next() {
                Some(name) if pending::comes_no_later(name, now) => overdue.push(name),
                Some(_) => break true,
                None => break page.is_truncated() != Some(true),
            }
        };
        let next = overdue.last().filter(|_| !is_over).map(|name| (*name).to_owned());
        let listed =
            overdue.into_iter().map(|name| name.parse().map_or(ListedObject::Other, ListedObject::Key)).collect();
        Ok(Page { listed, next })
    }
}
