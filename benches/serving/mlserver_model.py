"""scikit-learn's forest of the same size as the others', into a joblib file: mlserver_model.py FILE."""

import sys

import joblib
from rivals import FOREST

joblib.dump(FOREST, sys.argv[1])
