//! A page of a list of keys: prefix, delimiter, where it begins and how long it is.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use s3s::dto::{CommonPrefix, Object};

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct ListingRequest<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
    /// The last key or common prefix before the page.
    pub(super) after: Option<&'a str>,
    pub(super) max_keys: usize,
}

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) contents: Vec<Object>,
    pub(super) common_prefixes: Vec<CommonPrefix>,
    /// Where the next page goes on.
    pub(super) next: Option<String>,
}

impl Page {
    pub(super) fn len(&self) -> usize {
        self.contents.len() + self.common_prefixes.len()
    }
}

/// Cuts a page out of a bucket's objects, which are in the order of their keys.
pub(super) fn page(objects: Vec<Object>, wanted: &ListingRequest<'_>) -> Page {
    let mut page = Page::default();
    let mut last: Option<String> = None;
    for object in objects {
        let key = object.key.as_deref().unwrap_or_default();
        let Some(rest) = key.strip_prefix(wanted.prefix) else { continue };
        let delimiter = wanted.delimiter.filter(|delimiter| !delimiter.is_empty());
        let end = delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len()));
        let common = end.and_then(|end| key.get(..wanted.prefix.len() + end)).map(str::to_owned);
        let entry = common.as_deref().unwrap_or(key).to_owned();
        // Of a common prefix only the first object makes an entry.
        if wanted.after.is_some_and(|after| *entry <= *after) || last.as_ref() == Some(&entry) {
            continue;
        }
        if page.len() >= wanted.max_keys {
            page.next = last;
            return page;
        }
        match common {
            Some(prefix) => page.common_prefixes.push(CommonPrefix { prefix: Some(prefix) }),
            None => page.contents.push(object),
        }
        last = Some(entry);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(wanted: &ListingRequest<'_>) -> (Vec<String>, Vec<String>, Option<String>) {
        let keys = ["a/1", "a/2", "a/b/3", "b", "c/d", "c0"];
        let objects = keys.map(|key| Object { key: Some(key.to_owned()), ..Object::default() });
        let page = page(objects.to_vec(), wanted);
        let prefixes = page.common_prefixes.into_iter().filter_map(|common| common.prefix).collect();
        (page.contents.into_iter().filter_map(|object| object.key).collect(), prefixes, page.next)
    }

    #[test]
    fn a_delimiter_gathers_keys_behind_a_prefix() {
        let wanted = ListingRequest { delimiter: Some("/"), max_keys: 10, ..ListingRequest::default() };
        let (keys, prefixes, next) = entries(&wanted);
        assert_eq!((keys, prefixes, next), (vec!["b".into(), "c0".into()], vec!["a/".into(), "c/".into()], None));
        let (keys, prefixes, _) = entries(&ListingRequest { prefix: "a/", ..wanted });
        assert_eq!((keys, prefixes), (vec!["a/1".into(), "a/2".into()], vec!["a/b/".into()]));
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        for delimiter in [None, Some("/")] {
            let (mut after, mut seen) = (None::<String>, Vec::new());
            loop {
                let wanted =
                    ListingRequest { delimiter, after: after.as_deref(), max_keys: 1, ..ListingRequest::default() };
                let (keys, prefixes, next) = entries(&wanted);
                assert_eq!(keys.len() + prefixes.len(), 1);
                seen.extend(keys.into_iter().chain(prefixes));
                let Some(next) = next else { break };
                after = Some(next);
            }
            let whole = entries(&ListingRequest { delimiter, max_keys: 10, ..ListingRequest::default() });
            let mut all: Vec<String> = whole.0.into_iter().chain(whole.1).collect();
            all.sort();
            assert_eq!(seen, all);
        }
    }
}
