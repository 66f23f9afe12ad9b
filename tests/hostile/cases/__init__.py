"""One file a theme, each with its table `CASES`; `pods` has the detectors that they are done to."""
