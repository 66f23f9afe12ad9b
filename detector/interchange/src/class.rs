//! The module and name of a Python class or function in, its meaning for the readers out: the allow-list.

/// The advice in errors about an unsupported pipeline step: two lines of Python that save the forest alone.
pub(crate) const FOREST_ALONE: &str = "To import the forest alone, which scores rows as the previous steps output them: \
    `pipeline = joblib.load(\"pipeline.joblib\")`; `joblib.dump(pipeline[-1], \"forest.joblib\")`";

/// The Python classes and functions that a file may name. None of them is ever run: each tells how to read
/// the data beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// `sklearn.ensemble.IsolationForest`.
    IsolationForest,
    /// `sklearn.tree.ExtraTreeRegressor`: the estimator that wraps a tree.
    ExtraTreeRegressor,
    /// `sklearn.tree._tree.Tree`: the arrays of a tree.
    Tree,
    /// `sklearn.pipeline.Pipeline`: steps, the last of which is the forest.
    Pipeline,
    /// `sklearn.compose.ColumnTransformer`: steps, each for some of the columns.
    ColumnTransformer,
    /// `sklearn.preprocessing.StandardScaler`.
    StandardScaler,
    /// `sklearn.preprocessing.MinMaxScaler`.
    MinMaxScaler,
    /// `sklearn.preprocessing.MaxAbsScaler`.
    MaxAbsScaler,
    /// `sklearn.preprocessing.RobustScaler`.
    RobustScaler,
    /// `sklearn.impute.SimpleImputer`.
    SimpleImputer,
    /// `sklearn.preprocessing.FunctionTransformer`: without a function, it is what scikit-learn makes of
    /// `passthrough`.
    FunctionTransformer,
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
    /// `_codecs.encode`: args (text, encoding). Protocol 2 writes bytes in this way.
    Encode,
    /// joblib's `NumpyArrayWrapper`: the array's bytes follow it in the file.
    JoblibArray,
    /// A class whose data does not affect a score, such as a random number generator.
    Inert,
}

impl Class {
    /// The name of the class in error messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IsolationForest => "IsolationForest",
            Self::ExtraTreeRegressor => "ExtraTreeRegressor",
            Self::Tree => "Tree",
            Self::Pipeline => "Pipeline",
            Self::ColumnTransformer => "ColumnTransformer",
            Self::StandardScaler => "StandardScaler",
            Self::MinMaxScaler => "MinMaxScaler",
            Self::MaxAbsScaler => "MaxAbsScaler",
            Self::RobustScaler => "RobustScaler",
            Self::SimpleImputer => "SimpleImputer",
            Self::FunctionTransformer => "FunctionTransformer",
            Self::Reconstruct | Self::FromBuffer => "array",
            Self::Scalar => "numpy scalar",
            Self::Ndarray | Self::Dtype | Self::Encode | Self::JoblibArray | Self::Inert => "numpy object",
        }
    }

    /// Return the class with this module and name, or `None` if it is not on the allow-list.
    pub(crate) fn named(module: &str, name: &str) -> Option<Self> {
        // numpy 2 renamed its inner package.
        let module = module.replace("numpy._core.", "numpy.core.");
        Some(match (module.as_str(), name) {
            ("sklearn.ensemble._iforest", "IsolationForest") => Self::IsolationForest,
            ("sklearn.tree._classes", "ExtraTreeRegressor") => Self::ExtraTreeRegressor,
            ("sklearn.tree._tree", "Tree") => Self::Tree,
            ("sklearn.pipeline", "Pipeline") => Self::Pipeline,
            ("sklearn.compose._column_transformer", "ColumnTransformer") => Self::ColumnTransformer,
            ("sklearn.preprocessing._data", "StandardScaler") => Self::StandardScaler,
            ("sklearn.preprocessing._data", "MinMaxScaler") => Self::MinMaxScaler,
            ("sklearn.preprocessing._data", "MaxAbsScaler") => Self::MaxAbsScaler,
            ("sklearn.preprocessing._data", "RobustScaler") => Self::RobustScaler,
            ("sklearn.impute._base", "SimpleImputer") => Self::SimpleImputer,
            ("sklearn.preprocessing._function_transformer", "FunctionTransformer") => {
                Self::FunctionTransformer
            }
            ("numpy", "ndarray") => Self::Ndarray,
            ("numpy", "dtype") => Self::Dtype,
            ("numpy.core.multiarray", "_reconstruct") => Self::Reconstruct,
            ("numpy.core.numeric", "_frombuffer") => Self::FromBuffer,
            ("numpy.core.multiarray", "scalar") => Self::Scalar,
            ("_codecs", "encode") => Self::Encode,
            ("joblib.numpy_pickle", "NumpyArrayWrapper") => Self::JoblibArray,
            ("numpy.random._pickle", "__randomstate_ctor" | "__bit_generator_ctor" | "__generator_ctor")
            | ("numpy.random._mt19937", "MT19937")
            // An imputer's indicator of missing cells. The imputer itself is refused because of its parameter
            // `add_indicator`.
            | ("sklearn.impute._base", "MissingIndicator")
            // Selectors of columns. The file also lists the selected columns by number, and only those
            // numbers are read.
            | ("builtins" | "__builtin__", "slice" | "object" | "float" | "int")
            | ("numpy", "number" | "float32" | "float64" | "int32" | "int64")
            | ("sklearn.compose._column_transformer", "make_column_selector" | "_RemainderColsList") => {
                Self::Inert
            }
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
