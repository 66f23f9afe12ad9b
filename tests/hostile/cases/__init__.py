"""One file per theme, each with its table `CASES`; `pods` has the detectors under test."""
