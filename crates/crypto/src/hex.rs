//! Lowercase hexadecimal, and a macro for 32-octet values that are written that way.

/// Writes `octets` as lowercase hexadecimal.
pub(crate) fn write(octets: &[u8], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

/// Reads exactly `N` octets; upper and lower case are both accepted.
pub(crate) fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut octets = [0; N];
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (
            char::from(pair[0]).to_digit(16)?,
            char::from(pair[1]).to_digit(16)?,
        );
        *octet = u8::try_from(high << 4 | low).ok()?;
    }
    Some(octets)
}

/// Gives a tuple struct around `[u8; 32]` its text form: `Display`, `Debug`, `FromStr` and serde.
macro_rules! hex_text {
    ($name:ident) => {
        impl $name {
            /// The 32 octets.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Wraps octets read back from storage.
            #[must_use]
            pub const fn from_bytes(octets: [u8; 32]) -> Self {
                Self(octets)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::hex::write(&self.0, f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::digests::NotHex32;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                crate::hex::parse(text)
                    .map(Self)
                    .ok_or(crate::digests::NotHex32)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use hex_text;
