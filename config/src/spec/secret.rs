//! Values that instances get and nobody sees.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A secret of a function of the registry.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretSpec {
    /// The variable that it is given as.
    pub variable: String,
    /// Changes whenever the value may have changed: what the hash of a revision is made of in place
    /// of the value, which could be guessed from it.
    pub version: String,
    /// What the variable holds; overwritten when nobody has it any more.
    pub value: Arc<Zeroizing<String>>,
}

/// Without the value, so that no log ever shows it.
impl fmt::Debug for SecretSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (version {})", self.variable, self.version)
    }
}
