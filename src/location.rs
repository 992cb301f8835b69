//! S3 locations: [`S3Uri`], one object, and [`S3Prefix`], a folder that a location may lie under.
//!
//! Keys are raw: a percent sign, a space or a question mark stands for itself, nothing is ever URL-decoded.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// One S3 object. Parses from `s3://bucket/key`, `https://bucket.s3.region.amazonaws.com/key` and
/// `https://s3.region.amazonaws.com/bucket/key`, prints as `s3://bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct S3Uri {
    bucket: String,
    key: String,
}

/// Why a text is not an S3 location.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// Neither `s3://` nor an `https://` URL of S3.
    #[error("must be s3://bucket/key (or the https:// URL of an S3 object)")]
    Scheme,
    /// A bucket name has letters, digits, dots, hyphens and underscores; access point ARNs are not taken.
    #[error("must name a bucket of letters, digits, `.`, `-` and `_`")]
    Bucket,
    /// An object needs a key.
    #[error("must name an object: the key after the bucket is empty")]
    Key,
    /// An S3 key has at most 1,024 bytes.
    #[error("must have a key of at most {MAX_KEY_BYTES} bytes")]
    KeyTooLong,
    /// Nothing would ever lie under such a prefix.
    #[error("must have no `.` or `..` segment")]
    DotSegment,
    /// A prefix is given as `s3://` only.
    #[error("must be s3://bucket/prefix/")]
    PrefixScheme,
}

/// Longest S3 object key, in bytes of UTF-8.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
pub const MAX_KEY_BYTES: usize = 1024;

impl S3Uri {
    /// The object `key` in `bucket`.
    ///
    /// # Errors
    /// [`InvalidLocation`] when the bucket is no bucket name or the key is empty or too long.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Result<Self, InvalidLocation> {
        let (bucket, key) = (bucket.into(), key.into());
        if !is_bucket_name(&bucket) {
            return Err(InvalidLocation::Bucket);
        }
        match key.len() {
            0 => Err(InvalidLocation::Key),
            1..=MAX_KEY_BYTES => Ok(Self { bucket, key }),
            _ => Err(InvalidLocation::KeyTooLong),
        }
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object's key, raw.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for S3Uri {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            return Self::new(bucket, key);
        }
        let rest = text.strip_prefix("https://").ok_or(InvalidLocation::Scheme)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        match bucket_of_host(host)? {
            Some(bucket) => Self::new(bucket, path),
            None => {
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                Self::new(bucket, key)
            }
        }
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl From<S3Uri> for String {
    fn from(uri: S3Uri) -> Self {
        uri.to_string()
    }
}

/// The bucket that a virtual-hosted S3 host names; `None` for a path-style host.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
fn bucket_of_host(host: &str) -> Result<Option<&str>, InvalidLocation> {
    let host = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))
        .ok_or(InvalidLocation::Scheme)?;
    // A bucket name may itself hold ".s3." or begin with "s3-", so the service's label is the last one that fits, and only
    // where there is none before which a bucket stands is the host the service's own.
    let label = [".s3.", ".s3-"].iter().filter_map(|label| host.rfind(label)).max();
    if let Some(end) = label.or_else(|| host.strip_suffix(".s3").map(str::len)) {
        return Ok(host.get(..end));
    }
    let is_service = host == "s3" || host.starts_with("s3.") || host.starts_with("s3-");
    if is_service { Ok(None) } else { Err(InvalidLocation::Scheme) }
}

fn is_bucket_name(name: &str) -> bool {
    (3..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn has_dot_segment(key: &str) -> bool {
    key.split('/').any(|segment| segment == "." || segment == "..")
}

/// A bucket and a prefix of whole path segments: `s3://b/in` and `s3://b/in/` are the same and do not hold `s3://b/input/x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Prefix {
    bucket: String,
    /// Empty for the whole bucket, otherwise ending in `/`.
    prefix: String,
}

impl S3Prefix {
    /// Whether `location` lies under this prefix. A key with a `.` or `..` segment never does: S3 takes such a key
    /// literally, but a client on the way to S3 may normalise it to a place outside the prefix.
    #[must_use]
    pub fn contains(&self, location: &S3Uri) -> bool {
        location.bucket == self.bucket
            && location.key.len() > self.prefix.len()
            && location.key.starts_with(&self.prefix)
            && !has_dot_segment(&location.key)
    }

    /// The folder `name` directly under this prefix.
    pub(crate) fn folder(&self, name: &str) -> Self {
        Self { bucket: self.bucket.clone(), prefix: format!("{}{name}/", self.prefix) }
    }

    /// The folder `name` at the root of this prefix's bucket.
    pub(crate) fn bucket_folder(&self, name: &str) -> Self {
        Self { bucket: self.bucket.clone(), prefix: format!("{name}/") }
    }

    /// Whether an object could lie under both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.bucket == other.bucket
            && (self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix))
    }

    /// Whether a location's key begins with this prefix, whatever comes behind it.
    pub(crate) fn is_of(&self, location: &S3Uri) -> bool {
        location.bucket == self.bucket && location.key.starts_with(&self.prefix)
    }

    /// Its bucket's name.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What the keys of all objects under it begin with.
    pub(crate) fn key_prefix(&self) -> &str {
        &self.prefix
    }

    /// The object `name` directly under this prefix.
    ///
    /// # Errors
    /// [`InvalidLocation`] when the key would be empty or too long.
    pub fn join(&self, name: &str) -> Result<S3Uri, InvalidLocation> {
        S3Uri::new(self.bucket.clone(), format!("{}{name}", self.prefix))
    }
}

impl FromStr for S3Prefix {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("s3://").ok_or(InvalidLocation::PrefixScheme)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket_name(bucket) {
            return Err(InvalidLocation::Bucket);
        }
        if has_dot_segment(prefix) {
            return Err(InvalidLocation::DotSegment);
        }
        // At least one character of every key is left for the object's own name.
        if prefix.len() >= MAX_KEY_BYTES {
            return Err(InvalidLocation::KeyTooLong);
        }
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{prefix}{slash}") })
    }
}

impl fmt::Display for S3Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_form_of_a_location_is_read_and_keys_stay_raw() {
        let cases = [
            ("s3://b-1/k", "b-1", "k"),
            (
                "s3://bucket/in put/100%25 2024-03-29 03:48:03+x.json",
                "bucket",
                "in put/100%25 2024-03-29 03:48:03+x.json",
            ),
            ("s3://bucket/a/b+c%20d#e?f.out", "bucket", "a/b+c%20d#e?f.out"),
            ("s3://bucket//x", "bucket", "/x"),
            ("https://bucket.s3.eu-west-2.amazonaws.com/output/x.out", "bucket", "output/x.out"),
            ("https://bucket.s3.amazonaws.com/x", "bucket", "x"),
            ("https://bucket.s3-eu-west-1.amazonaws.com/x", "bucket", "x"),
            ("https://my.s3.bucket.s3.us-east-1.amazonaws.com/x", "my.s3.bucket", "x"),
            ("https://bucket.s3.cn-north-1.amazonaws.com.cn/x", "bucket", "x"),
            ("https://s3.eu-west-2.amazonaws.com/bucket/a/x", "bucket", "a/x"),
            ("https://s3-eu-west-1.amazonaws.com/bucket/a/x", "bucket", "a/x"),
            ("https://s3-models.s3.eu-west-2.amazonaws.com/output/x.out", "s3-models", "output/x.out"),
            ("https://s3.models.s3.eu-west-2.amazonaws.com/output/x.out", "s3.models", "output/x.out"),
            ("https://s3-models.s3.amazonaws.com/output/x.out", "s3-models", "output/x.out"),
        ];
        for (text, bucket, key) in cases {
            let uri: S3Uri = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((uri.bucket(), uri.key()), (bucket, key), "{text}");
            assert_eq!(uri.to_string().parse::<S3Uri>().as_ref(), Ok(&uri), "{text}");
        }
    }

    #[test]
    fn what_is_no_s3_location_says_why() {
        let long = format!("s3://bucket/{}", "k".repeat(1025));
        let cases = [
            ("", InvalidLocation::Scheme),
            ("http://bucket.s3.amazonaws.com/x", InvalidLocation::Scheme),
            ("https://example.com/bucket/x", InvalidLocation::Scheme),
            ("https://bucket.s3.amazonaws.com.evil.example/x", InvalidLocation::Scheme),
            ("file:///etc/passwd", InvalidLocation::Scheme),
            ("s3:///key", InvalidLocation::Bucket),
            ("s3://arn:aws:s3:eu-west-1:1:accesspoint/x", InvalidLocation::Bucket),
            ("s3://bucket", InvalidLocation::Key),
            ("s3://bucket/", InvalidLocation::Key),
            (&long, InvalidLocation::KeyTooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<S3Uri>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_prefix_holds_whole_path_segments_only() {
        let cases = [
            ("s3://bucket/in", "s3://bucket/in/x", true),
            ("s3://bucket/in/", "s3://bucket/in/a/b", true),
            ("s3://bucket", "s3://bucket/x", true),
            ("s3://bucket/in", "s3://bucket/input/x", false),
            ("s3://bucket/in/", "s3://bucket/in/", false),
            ("s3://bucket/in/", "s3://bucket/in", false),
            ("s3://bucket/in", "s3://other/in/x", false),
            ("s3://bucket/in", "s3://bucket/in/../secret", false),
            ("s3://bucket/in", "s3://bucket/in/./x", false),
            ("s3://bucket/in", "s3://bucket/in/..x", true),
        ];
        for (prefix, location, expected) in cases {
            let prefix: S3Prefix = prefix.parse().unwrap();
            let location: S3Uri = location.parse().unwrap();
            assert_eq!(prefix.contains(&location), expected, "{prefix} {location}");
        }
    }

    #[test]
    fn a_joined_name_lies_under_its_prefix() {
        let prefix: S3Prefix = "s3://bucket/input".parse().unwrap();
        let object = prefix.join("059f36b4").unwrap();
        assert_eq!(object.to_string(), "s3://bucket/input/059f36b4");
        assert!(prefix.contains(&object));
    }
}
