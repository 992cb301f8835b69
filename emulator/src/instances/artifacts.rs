//! Model data: from S3 into an instance's `model/`.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html#your-algorithms-inference-code-load-artifacts>

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use sagemaker_async_bridge::location::S3Uri;
use tar::{Archive, Entry, EntryType};

use super::InstancePlan;
use super::container::{Form, ModelData};
use super::directory::Directory;

/// Fetches what a plan's container names; SageMaker's words where that is not possible.
/// <https://github.com/aws-samples/cvat-on-aws-china/issues/3> has them.
pub(super) async fn fetch(plan: &InstancePlan, directory: &Arc<Directory>) -> Result<(), String> {
    let Some(data) = &plan.container.data else { return Ok(()) };
    let url = &data.url;
    let unavailable = |why: &str| {
        tracing::warn!(endpoint.name = plan.endpoint, "model data {url}: {why}");
        format!(
            "Failed to download model data for container \"container_1\" from URL: \"{url}\". Please ensure that there is an object located at \
             the URL and that the role passed to CreateModel has permissions to download the object."
        )
    };
    let download = download(plan, data, directory);
    let archive = match plan.container.download_timeout {
        None => download.await,
        Some(timeout) => {
            let downloaded = tokio::time::timeout(timeout, download).await;
            downloaded.unwrap_or_else(|_| Err("not downloaded in time".to_owned()))
        }
    };
    let Some(archive) = archive.map_err(|why| unavailable(&why))? else { return Ok(()) };
    // The directory stays until this has ended, even if the instance does not.
    let place = Arc::clone(directory);
    let unpacked = tokio::task::spawn_blocking(move || unpack(&archive, &place.model())).await;
    unpacked.map_err(|error| error.to_string()).flatten().map_err(|why| {
        tracing::warn!(endpoint.name = plan.endpoint, "model data {url}: {why}");
        format!(
            "Failed to extract model data archive for container \"container_1\" from URL \"{url}\". Please ensure that the object located at \
             the URL is a valid tar.gz archive."
        )
    })
}

/// Gives the path of an archive that has to be unpacked.
async fn download(plan: &InstancePlan, data: &ModelData, directory: &Directory) -> Result<Option<PathBuf>, String> {
    let parsed = |text: &str| text.parse::<S3Uri>().map_err(|error| error.to_string());
    match data.form {
        Form::Archive => {
            let archive = directory.path().join("model.tar.gz");
            plan.store.download(&parsed(&data.url)?, &archive).await?;
            Ok(Some(archive))
        }
        Form::Object => {
            let location = parsed(&data.url)?;
            let name = location.key().rsplit('/').next().unwrap_or_default();
            plan.store.download(&location, &inside(&directory.model(), name)?).await.map(|()| None)
        }
        Form::Prefix => {
            // A prefix may be empty, an object's key may not.
            let prefix = parsed(&format!("{}x", data.url))?;
            let (bucket, prefix) = (prefix.bucket(), prefix.key().strip_suffix('x').unwrap_or_default());
            let keys = plan.store.keys(bucket, prefix).await?;
            for key in &keys {
                let name = key.strip_prefix(prefix).unwrap_or(key);
                // An object that stands for a folder.
                if name.is_empty() || name.ends_with('/') {
                    continue;
                }
                let location = S3Uri::new(bucket, key).map_err(|error| error.to_string())?;
                plan.store.download(&location, &inside(&directory.model(), name)?).await?;
            }
            if keys.is_empty() { Err("there are no objects under the prefix".to_owned()) } else { Ok(None) }
        }
    }
}

/// A path under a directory, as a key names it. SageMaker too refuses a key whose parts are no names of files.
fn inside(directory: &Path, name: &str) -> Result<PathBuf, String> {
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if name.split('/').all(is_name) {
        Ok(directory.join(name))
    } else {
        Err(format!("the key `{name}` is not the path of a file"))
    }
}

/// Unpacks an archive into a directory, and removes it. What would land elsewhere is refused.
fn unpack(archive: &Path, directory: &Path) -> Result<(), String> {
    let file = std::fs::File::open(archive).map_err(|error| error.to_string())?;
    let mut entries = Archive::new(MultiGzDecoder::new(std::io::BufReader::new(file)));
    for entry in entries.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let name = entry.path().map_err(|error| error.to_string())?.display().to_string();
        let refused = || {
            format!("the archive's entry `{name}` is refused: it is not a file, directory or link inside the archive")
        };
        if !is_allowed(&entry) || !entry.unpack_in(directory).map_err(|error| error.to_string())? {
            return Err(refused());
        }
    }
    std::fs::remove_file(archive).map_err(|error| error.to_string())
}

fn is_allowed(entry: &Entry<'_, impl std::io::Read>) -> bool {
    let (Ok(path), Ok(link)) = (entry.path(), entry.link_name()) else { return false };
    match (entry.header().entry_type(), link) {
        (EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse | EntryType::Directory, _) => stays(&path),
        // A symbolic link is relative to where it lies, a hard link to the archive.
        (EntryType::Symlink, Some(link)) => {
            stays(&path) && !link.has_root() && stays(&path.parent().unwrap_or(Path::new("")).join(&link))
        }
        (EntryType::Link, Some(link)) => stays(&path) && stays(&link),
        _ => false,
    }
}

/// Whether a relative path never leaves where it starts.
fn stays(path: &Path) -> bool {
    let mut depth: usize = 0;
    path.components().all(|component| match component {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::CurDir => true,
        Component::ParentDir => match depth.checked_sub(1) {
            Some(less) => {
                depth = less;
                true
            }
            None => false,
        },
        Component::RootDir | Component::Prefix(_) => false,
    })
}

#[cfg(test)]
#[path = "artifacts/tests.rs"]
mod tests;
