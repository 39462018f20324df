//! Values on their way into a statement.

/// A value bound to a placeholder. The `Opt` kinds keep the type of a `NULL`, which PostgreSQL wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// Bytes.
    Blob(Vec<u8>),
    /// An integer.
    Int(i64),
    /// Bytes or `NULL`.
    OptBlob(Option<Vec<u8>>),
    /// An integer or `NULL`.
    OptInt(Option<i64>),
    /// Text or `NULL`.
    OptText(Option<String>),
    /// Text.
    Text(String),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::OptInt(value)
    }
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::OptText(value)
    }
}

impl From<Vec<u8>> for Arg {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl From<Option<Vec<u8>>> for Arg {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::OptBlob(value)
    }
}

/// `args![a, b]`: the values of `$1`, `$2`, … in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::database::Arg::from($value)),*] };
}
pub(crate) use args;

/// Binds arguments to a query of either driver.
macro_rules! bind_all {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for arg in $args {
            query = match arg {
                $crate::database::Arg::Blob(value) => query.bind(value),
                $crate::database::Arg::Int(value) => query.bind(value),
                $crate::database::Arg::OptBlob(value) => query.bind(value),
                $crate::database::Arg::OptInt(value) => query.bind(value),
                $crate::database::Arg::OptText(value) => query.bind(value),
                $crate::database::Arg::Text(value) => query.bind(value),
            };
        }
        query
    }};
}
pub(super) use bind_all;
