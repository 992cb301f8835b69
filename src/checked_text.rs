//! Types of texts that have passed a rule.

/// Why a text is not what it is taken for: what it must be. It never repeats the text, which may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct InvalidText(pub(crate) &'static str);

/// Defines a type: a text that passed its rule and never changes again. Of a `secret` one nothing is printed.
macro_rules! checked_text {
    (@type $(#[$attribute:meta])* $name:ident, $rule:expr, $must_be:expr) => {
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The text as its service takes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::checked_text::InvalidText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let rule: fn(&str) -> bool = $rule;
                if rule(text) { Ok(Self(text.to_owned())) } else { Err($crate::checked_text::InvalidText($must_be)) }
            }
        }
    };
    ($(#[$attribute:meta])* $name:ident, $rule:expr, $must_be:expr) => {
        checked_text!(@type $(#[$attribute])* #[derive(Debug)] $name, $rule, $must_be);

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
    ($(#[$attribute:meta])* $name:ident, $rule:expr, $must_be:expr, secret) => {
        checked_text!(@type $(#[$attribute])* $name, $rule, $must_be);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&"…").finish()
            }
        }
    };
}

pub(crate) use checked_text;
