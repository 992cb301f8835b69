//! The account and region that the emulator stands for: they appear in ARNs, messages and notifications.

/// Account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// Such as `us-east-1`.
    pub region: String,
}

/// The account of every stand-in of AWS that needs none.
const DEFAULT_ID: &str = "000000000000";
const DEFAULT_REGION: &str = "us-east-1";

impl Default for Account {
    fn default() -> Self {
        Self { id: DEFAULT_ID.to_owned(), region: DEFAULT_REGION.to_owned() }
    }
}

impl Account {
    /// The region comes from the variables that AWS's clients read.
    #[must_use]
    pub fn from_env() -> Self {
        let named = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
        let region = named.filter(|region| !region.is_empty()).unwrap_or_else(|| DEFAULT_REGION.to_owned());
        Self { region, ..Self::default() }
    }

    /// The ARN of one of SageMaker's resources; SageMaker writes their names in lower case there.
    #[must_use]
    pub fn arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:sagemaker:{}:{}:{kind}/{}", self.region, self.id, name.to_ascii_lowercase())
    }
}
