"""Untrusted bytes into everything that reads them: the same targets for hypothesis and for a coverage-guided fuzzer."""
