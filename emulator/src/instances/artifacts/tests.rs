use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};
use uuid::Uuid;

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("artifacts-test-{}", Uuid::new_v4()));
        std::fs::create_dir_all(path.join("model")).unwrap();
        Self(path)
    }

    /// Unpacks an archive that `fill` makes.
    fn unpack(&self, fill: impl FnOnce(&mut Builder<GzEncoder<std::fs::File>>)) -> Result<(), String> {
        let archive = self.0.join("model.tar.gz");
        let mut builder = Builder::new(GzEncoder::new(std::fs::File::create(&archive).unwrap(), Compression::fast()));
        fill(&mut builder);
        builder.into_inner().unwrap().finish().unwrap();
        unpack(&archive, &self.0.join("model"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// An entry whose name is written as it stands: the builder's own functions refuse some.
fn add(builder: &mut Builder<impl Write>, name: &str, kind: EntryType, link: Option<&str>) {
    let mut header = Header::new_gnu();
    let content: &[u8] = if kind == EntryType::Regular { b"content" } else { b"" };
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    if let Some(link) = link {
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    }
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

#[test]
fn files_directories_and_links_of_an_archive_are_unpacked_and_the_archive_goes() {
    let scratch = Scratch::new();
    let unpacked = scratch.unpack(|builder| {
        add(builder, "./", EntryType::Directory, None);
        add(builder, "./code/inference.py", EntryType::Regular, None);
        add(builder, "weights/1/model.bin", EntryType::Regular, None);
        add(builder, "weights/current", EntryType::Symlink, Some("1"));
        add(builder, "code/same", EntryType::Symlink, Some("../code/inference.py"));
    });
    assert_eq!(unpacked, Ok(()));
    for name in ["code/inference.py", "weights/current/model.bin", "code/same"] {
        assert_eq!(std::fs::read(scratch.0.join("model").join(name)).unwrap(), b"content", "{name}");
    }
    assert!(!scratch.0.join("model.tar.gz").exists());
}

#[test]
fn an_entry_that_would_land_elsewhere_is_refused() {
    for (name, kind, link) in [
        ("../escaped", EntryType::Regular, None),
        ("a/../../escaped", EntryType::Regular, None),
        ("/tmp/escaped", EntryType::Regular, None),
        ("link", EntryType::Symlink, Some("/etc")),
        ("a/link", EntryType::Symlink, Some("../../escaped")),
        ("link", EntryType::Link, Some("../escaped")),
        ("fifo", EntryType::Fifo, None),
        ("device", EntryType::Char, None),
    ] {
        let scratch = Scratch::new();
        let refused = scratch.unpack(|builder| add(builder, name, kind, link)).unwrap_err();
        assert!(refused.contains(&format!("entry `{name}` is refused")), "{refused}");
        assert!(!scratch.0.join("escaped").exists());
        assert_eq!(std::fs::read_dir(scratch.0.join("model")).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn what_is_no_archive_is_an_error() {
    let scratch = Scratch::new();
    let archive = scratch.0.join("model.tar.gz");
    for bytes in [&b"no archive"[..], b"\x1f\x8b\x08\x00truncated"] {
        std::fs::write(&archive, bytes).unwrap();
        assert!(unpack(&archive, &scratch.0.join("model")).is_err());
    }
}

#[test]
fn a_key_is_a_path_of_a_file_under_the_directory_or_refused() {
    let directory = Path::new("/x/model");
    assert_eq!(inside(directory, "a/b.bin"), Ok(directory.join("a/b.bin")));
    for name in ["", "..", "a/../../b", "/etc/passwd", "a//b", "./a", "a\0"] {
        assert!(inside(directory, name).unwrap_err().contains("is not the path of a file"), "{name}");
    }
}
