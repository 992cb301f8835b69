//! Which image runs which model here, so that a script written for AWS need not change.

use std::str::FromStr;
use std::time::Duration;

use crate::model::Model;

/// A mapping of images.
#[derive(Clone, Debug, Default)]
pub struct Images(Vec<ImageOption>);

/// A pattern of images, `*` standing for any text, and the model that runs for them.
#[derive(Clone, Debug)]
pub struct ImageOption {
    /// The pattern.
    pub pattern: String,
    /// The model.
    pub model: Model,
}

impl FromStr for ImageOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (pattern, model) = text.split_once('=').ok_or("must be PATTERN=MODEL")?;
        Ok(Self { pattern: pattern.to_owned(), model: model.parse()? })
    }
}

impl Images {
    /// A mapping; of several patterns that match, the longest counts.
    #[must_use]
    pub fn new(mut images: Vec<ImageOption>) -> Self {
        images.sort_by_key(|image| std::cmp::Reverse(image.pattern.len()));
        Self(images)
    }

    /// The model of an image: that of its pattern, or the one that the image itself names (`fail`, `sleep:2`), or `echo`. Commands are those of
    /// whoever starts the emulator alone, not of whoever can send it a request.
    #[must_use]
    pub fn model(&self, image: &str) -> Model {
        let mapped = self.0.iter().find(|mapped| matches(&mapped.pattern, image)).map(|mapped| mapped.model.clone());
        let named = || image.parse().ok().filter(|model| !matches!(model, Model::Exec { .. }));
        mapped.or_else(named).unwrap_or(Model::Echo(Duration::ZERO))
    }
}

/// Whether a text has the form of a pattern.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_on_a_command_line() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*/model:*", "1.dkr.ecr.us-east-1.amazonaws.com/model:latest", true),
            ("*/model:*", "1.dkr.ecr.us-east-1.amazonaws.com/model", false),
            ("a*c*a", "abca", true),
            ("a*b*a", "aba", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_longest_pattern_counts_then_the_images_own_name_then_echo() {
        let images = ["*=size:1", "*/slow:*=sleep:1"].map(|text| text.parse().unwrap());
        let images = Images::new(images.to_vec());
        assert_eq!(images.model("x/slow:1"), Model::Echo(Duration::from_secs(1)));
        assert_eq!(images.model("x/other:1"), Model::Size(1));
        assert_eq!(Images::default().model("fail"), Model::Fail(400));
        assert_eq!(Images::default().model("x/other:1"), Model::Echo(Duration::ZERO));
    }

    #[test]
    fn an_image_cannot_name_a_command() {
        assert_eq!(Images::default().model("exec:touch /tmp/x"), Model::Echo(Duration::ZERO));
        let images = Images::new(vec!["exec:touch*=exec:true".parse().unwrap()]);
        assert_eq!(images.model("exec:touch /tmp/x"), "exec:true".parse().unwrap());
    }
}
