//! Accepted invocations until they are answered: a file for each, `ENDPOINT/NUMBER-TIME`, with the request in a line of JSON and the
//! inline payload behind it. One that was being written when the emulator was killed was not accepted yet, and is not read.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use crate::invocation::Invocation;

/// The directory of all queues.
#[derive(Debug)]
pub(crate) struct Queue(PathBuf);

#[derive(Debug, Serialize, Deserialize)]
struct Entry<I> {
    invocation: I,
    payload_bytes: Option<usize>,
}

impl Queue {
    pub(super) const fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Keeps an invocation with its payload.
    pub(crate) fn keep(&self, number: u64, invocation: &Invocation) -> io::Result<()> {
        let payload = invocation.body.as_deref();
        let mut text = serde_json::to_vec(&Entry { invocation, payload_bytes: payload.map(<[u8]>::len) })?;
        text.push(b'\n');
        text.extend_from_slice(payload.unwrap_or_default());
        let path = self.path(number, invocation);
        let mut file = match fs::File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(self.0.join(&invocation.endpoint_name))?;
                fs::File::create_new(&path)?
            }
            file => file?,
        };
        file.write_all(&text).inspect_err(|_| drop(fs::remove_file(&path)))
    }

    /// Lets go of one that is answered, or that went with its endpoint.
    pub(crate) fn release(&self, number: u64, invocation: &Invocation) {
        let path = self.path(number, invocation);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(file = %path.display(), %error, "not removed: it is answered again after a restart");
        }
    }

    /// Lets go of all that an endpoint has.
    pub(crate) fn clear(&self, endpoint: &str) {
        if let Err(error) = fs::remove_dir_all(self.0.join(endpoint))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(endpoint.name = endpoint, %error, "queue not removed");
        }
    }

    /// What waits for an endpoint, in the order in which it came.
    pub(crate) fn of(&self, endpoint: &str) -> Vec<(u64, Invocation)> {
        let Ok(entries) = fs::read_dir(self.0.join(endpoint)) else { return vec![] };
        let mut invocations: Vec<(u64, Invocation)> = Vec::new();
        for entry in entries.flatten() {
            let number = entry.file_name().to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
            let read = fs::read(entry.path()).ok().as_deref().and_then(read);
            match number.zip(read) {
                Some(found) => invocations.push(found),
                None => {
                    tracing::warn!(file = %entry.path().display(), "no whole invocation, and so never accepted");
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        invocations.sort_by_key(|(number, _)| *number);
        invocations
    }

    /// The endpoints that something waits for, and how much.
    pub(crate) fn endpoints(&self) -> Vec<(String, usize)> {
        let Ok(entries) = fs::read_dir(&self.0) else { return vec![] };
        let count = |entry: fs::DirEntry| {
            let waiting = fs::read_dir(entry.path()).map_or(0, Iterator::count);
            Some((entry.file_name().into_string().ok()?, waiting))
        };
        entries.flatten().filter_map(count).filter(|(_, waiting)| *waiting > 0).collect()
    }

    /// The time tells it from those of a former endpoint of this name, whose last invocations may still run.
    fn path(&self, number: u64, invocation: &Invocation) -> PathBuf {
        let time = invocation.received.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.0.join(&invocation.endpoint_name).join(format!("{number}-{}", time.as_nanos()))
    }
}

fn read(text: &[u8]) -> Option<Invocation> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let (line, payload) = text.split_at_checked(end)?;
    let payload = payload.get(1..)?;
    let entry: Entry<Invocation> = serde_json::from_slice(line).ok()?;
    if payload.len() != entry.payload_bytes.unwrap_or(0) {
        return None;
    }
    let body = entry.payload_bytes.map(|_| Bytes::copy_from_slice(payload));
    Some(Invocation { body, ..entry.invocation })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::invocation::Parameters;

    fn invocation(inference_id: &str, body: Option<&'static [u8]>) -> Invocation {
        Invocation {
            region: "us-east-1".to_owned(),
            endpoint_name: "demo".to_owned(),
            inference_id: inference_id.to_owned(),
            parameters: Parameters {
                custom_attributes: Some("a=\n".to_owned()),
                request_ttl: Some(Duration::from_secs(61)),
                ..Parameters::default()
            },
            body: body.map(Bytes::from_static),
            received: SystemTime::now(),
            output_location: "s3://bucket/output/ä b".parse().ok(),
            failure_location: None,
            draw: Arc::default(),
        }
    }

    #[test]
    fn what_is_kept_is_read_as_it_was_in_the_order_in_which_it_came() {
        let directory = std::env::temp_dir().join(format!("queue-{}", uuid::Uuid::new_v4()));
        let queue = Queue::new(directory.clone());
        let kept = [("a", Some(&b"\n{}\xff"[..])), ("b", None), ("c", Some(&b""[..]))];
        let kept = kept.map(|(id, body)| invocation(id, body));
        for (number, invocation) in [10, 9, 1].into_iter().zip(&kept) {
            queue.keep(number, invocation).unwrap();
        }
        queue.release(9, &kept[1]);
        let read = queue.of("demo");
        let ids: Vec<_> = read.iter().map(|(number, invocation)| (*number, invocation.inference_id.as_str())).collect();
        assert_eq!(ids, [(1, "c"), (10, "a")]);
        let (_, last) = &read[1];
        assert_eq!((&last.body, last.received), (&kept[0].body, kept[0].received));
        assert_eq!(last.output_location, kept[0].output_location);
        assert_eq!(last.parameters.request_ttl, kept[0].parameters.request_ttl);
        assert_eq!(queue.endpoints(), [("demo".to_owned(), 2)]);
        queue.clear("demo");
        assert!(queue.of("demo").is_empty() && queue.endpoints().is_empty());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn one_that_was_not_written_to_its_end_was_not_accepted() {
        let directory = std::env::temp_dir().join(format!("queue-{}", uuid::Uuid::new_v4()));
        let queue = Queue::new(directory.clone());
        let whole = invocation("a", Some(b"0123456789"));
        queue.keep(1, &whole).unwrap();
        let path = queue.path(1, &whole);
        let text = fs::read(&path).unwrap();
        for length in [0, 10, text.len() - 10, text.len() - 1] {
            fs::write(&path, &text[..length]).unwrap();
            assert!(queue.of("demo").is_empty(), "{length} of {}", text.len());
            assert!(!path.exists());
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
