"""The domains of audits, one per module: `erlangen.auditing.domain` says what a domain is and lists them."""
