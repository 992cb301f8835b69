//! Which file an object's key names.
//!
//! s3s-fs takes a key for a path and writes it once more, in base64, into the name of the file that holds the object's attributes.
//! A key that does not fit there is stored under its hash. `.keys/` in the root maps the hashes back to the keys, for lists.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use sha2::{Digest, Sha256};

/// What a file system takes for the name of a file.
const MAX_NAME_BYTES: usize = 255;
/// `.bucket-BUCKET.object-KEY.upload-UUID.metadata.json`, without bucket and key: the longest name that s3s-fs makes up.
const ATTRIBUTES_NAME_BYTES: usize = 74;
/// Where objects lie whose keys are hashed, in each bucket.
const HASHED: &str = ".hashed";
/// Where the keys of the hashes lie, beside the buckets: no bucket's name begins with a dot.
const KEYS: &str = ".keys";

/// The keys that are stored under their hashes. None is ever forgotten: an object of that key may be written at any time.
#[derive(Debug)]
pub(super) struct Keys {
    root: PathBuf,
    hashed: RwLock<HashedKeys>,
}

#[derive(Debug, Default)]
struct HashedKeys {
    by_key: HashMap<String, String>,
    by_hash: HashMap<String, String>,
}

impl HashedKeys {
    fn add(&mut self, key: String, hash: String) {
        self.by_key.insert(key.clone(), hash.clone());
        self.by_hash.insert(hash, key);
    }
}

impl Keys {
    /// Those of a root directory.
    pub(super) fn open(root: &Path) -> std::io::Result<Self> {
        let directory = root.join(KEYS);
        std::fs::create_dir_all(&directory)?;
        let mut hashed = HashedKeys::default();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            // What was being written when an emulator was killed has a name of another form.
            if let Ok(hash) = entry.file_name().into_string()
                && let Ok(key) = std::fs::read_to_string(entry.path())
                && hash_of(&key) == hash
            {
                hashed.add(key, hash);
            }
        }
        Ok(Self { root: root.to_owned(), hashed: RwLock::new(hashed) })
    }

    /// The path of an object that may be there, in its bucket.
    pub(super) fn path_to_read<'a>(&self, bucket: &str, key: &'a str) -> Cow<'a, str> {
        match self.hashed_path(key) {
            Some(path) => path.into(),
            None if fits(bucket, key) => key.into(),
            None => path_of(&hash_of(key)).into(),
        }
    }

    /// The path of an object that is to be written, in its bucket.
    pub(super) fn path_to_write<'a>(&self, bucket: &str, key: &'a str) -> std::io::Result<Cow<'a, str>> {
        if let Some(path) = self.hashed_path(key) {
            return Ok(path.into());
        }
        if fits(bucket, key) && !self.is_in_the_way(bucket, key) {
            return Ok(key.into());
        }
        let hash = hash_of(key);
        let directory = self.root.join(KEYS);
        let unfinished = directory.join(format!("{}.unfinished", uuid::Uuid::new_v4()));
        std::fs::write(&unfinished, key)?;
        std::fs::rename(unfinished, directory.join(&hash))?;
        let path = path_of(&hash);
        self.hashed.write().unwrap_or_else(PoisonError::into_inner).add(key.to_owned(), hash);
        Ok(path.into())
    }

    /// The key of a path that a list has found; none where it is no object's.
    pub(super) fn key(&self, path: String) -> Option<String> {
        match path.strip_prefix(HASHED).and_then(|path| path.strip_prefix('/')) {
            Some(hash) => self.hashed.read().unwrap_or_else(PoisonError::into_inner).by_hash.get(hash).cloned(),
            None => Some(path),
        }
    }

    fn hashed_path(&self, key: &str) -> Option<String> {
        let hashed = self.hashed.read().unwrap_or_else(PoisonError::into_inner);
        hashed.by_key.get(key).map(|hash| path_of(hash))
    }

    /// To S3 `a` and `a/b` are two keys; to a file system the one is a file and the other lies in a directory of its name.
    fn is_in_the_way(&self, bucket: &str, key: &str) -> bool {
        match std::fs::metadata(self.root.join(bucket).join(key)) {
            Ok(found) => found.is_dir(),
            Err(error) => error.kind() == std::io::ErrorKind::NotADirectory,
        }
    }
}

/// Whether a key can be a path, and the name of its attributes' file a name.
fn fits(bucket: &str, key: &str) -> bool {
    let is_name = |part: &str| !["", ".", ".."].contains(&part) && part.len() <= MAX_NAME_BYTES && !part.contains('\0');
    key.split('/').all(is_name)
        && key.split('/').next() != Some(HASHED)
        && ATTRIBUTES_NAME_BYTES + base64_bytes(bucket) + base64_bytes(key) <= MAX_NAME_BYTES
}

/// Length of a text in base64 without padding.
const fn base64_bytes(text: &str) -> usize {
    (text.len() * 4).div_ceil(3)
}

fn hash_of(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn path_of(hash: &str) -> String {
    format!("{HASHED}/{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (Keys, PathBuf) {
        let root = std::env::temp_dir().join(format!("keys-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(root.join("bucket")).unwrap();
        (Keys::open(&root).unwrap(), root)
    }

    #[test]
    fn a_key_that_fits_is_its_own_path_and_any_other_one_is_hashed() {
        let (keys, root) = keys();
        let long = "k".repeat(1024);
        for (bucket, key, is_hashed) in [
            ("bucket", "output/a b+ü.out", false),
            ("bucket", &"k".repeat(129), false),
            ("bucket", &"k".repeat(130), true),
            (&"b".repeat(63), &"k".repeat(72), false),
            (&"b".repeat(63), &"k".repeat(73), true),
            ("bucket", &long, true),
            ("bucket", "a//b", true),
            ("bucket", "folder/", true),
            ("bucket", "../other/x", true),
            ("bucket", ".hashed/x", true),
        ] {
            let path = keys.path_to_write(bucket, key).unwrap().into_owned();
            assert_eq!(path.starts_with(".hashed/"), is_hashed, "{key}");
            assert!(is_hashed || path == key, "{key}");
            assert_eq!(keys.path_to_read(bucket, key), path);
            assert_eq!(keys.key(path).as_deref(), Some(key));
        }
        let again = Keys::open(&root).unwrap();
        assert_eq!(again.key(path_of(&hash_of(&long))), Some(long));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_key_can_be_an_object_and_a_folder_of_others() {
        let (keys, root) = keys();
        std::fs::create_dir_all(root.join("bucket/folder")).unwrap();
        std::fs::write(root.join("bucket/file"), "").unwrap();
        for key in ["folder", "file/below", "file/far/below"] {
            assert!(keys.path_to_write("bucket", key).unwrap().starts_with(".hashed/"), "{key}");
            assert!(keys.path_to_read("bucket", key).starts_with(".hashed/"), "{key}");
        }
        for key in ["file", "folder/below"] {
            assert_eq!(keys.path_to_write("bucket", key).unwrap(), key);
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
