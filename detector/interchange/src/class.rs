//! A Python class or function by module and name in, what it means here out: the allow-list.

/// The Python names that may stand in a file. None is ever run: each is a note about the data beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// `sklearn.ensemble.IsolationForest`.
    IsolationForest,
    /// `sklearn.tree.ExtraTreeRegressor`: the wrapping of a tree.
    ExtraTreeRegressor,
    /// `sklearn.tree._tree.Tree`: the arrays of a tree.
    Tree,
    /// `numpy.ndarray`, the type itself.
    Ndarray,
    /// `numpy.dtype`: args (type string, align, copy), state (version, byte order, ...).
    Dtype,
    /// `numpy`'s `_reconstruct`: state (version, shape, dtype, fortran order, bytes or list).
    Reconstruct,
    /// `numpy`'s `_frombuffer`: args (bytes, dtype, shape, order).
    FromBuffer,
    /// `numpy`'s `scalar`: args (dtype, bytes).
    Scalar,
    /// `_codecs.encode`: args (text, encoding). Protocol 2 writes bytes so.
    Encode,
    /// joblib's `NumpyArrayWrapper`: the array's bytes follow it in the file.
    JoblibArray,
    /// A class whose data has no part in a score, such as a random number generator.
    Inert,
}

impl Class {
    /// The class of that name, where it is on the list.
    pub(crate) fn named(module: &str, name: &str) -> Option<Self> {
        // numpy 2 renamed its inner package.
        let module = module.replace("numpy._core.", "numpy.core.");
        Some(match (module.as_str(), name) {
            ("sklearn.ensemble._iforest", "IsolationForest") => Self::IsolationForest,
            ("sklearn.tree._classes", "ExtraTreeRegressor") => Self::ExtraTreeRegressor,
            ("sklearn.tree._tree", "Tree") => Self::Tree,
            ("numpy", "ndarray") => Self::Ndarray,
            ("numpy", "dtype") => Self::Dtype,
            ("numpy.core.multiarray", "_reconstruct") => Self::Reconstruct,
            ("numpy.core.numeric", "_frombuffer") => Self::FromBuffer,
            ("numpy.core.multiarray", "scalar") => Self::Scalar,
            ("_codecs", "encode") => Self::Encode,
            ("joblib.numpy_pickle", "NumpyArrayWrapper") => Self::JoblibArray,
            ("numpy.random._pickle", "__randomstate_ctor" | "__bit_generator_ctor" | "__generator_ctor")
            | ("numpy.random._mt19937", "MT19937") => Self::Inert,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_numpys_package_names_are_known() {
        assert_eq!(Class::named("numpy.core.multiarray", "scalar"), Some(Class::Scalar));
        assert_eq!(Class::named("numpy._core.multiarray", "scalar"), Some(Class::Scalar));
    }

    #[test]
    fn what_could_act_is_unknown() {
        for (module, name) in [("os", "system"), ("builtins", "eval"), ("numpy", "load"), ("joblib", "load")]
        {
            assert_eq!(Class::named(module, name), None);
        }
    }
}
