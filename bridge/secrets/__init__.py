"""Credentials at rest: sealed texts, the keyring that opens them, references, and what keeps them out of logs."""
