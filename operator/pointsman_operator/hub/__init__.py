"""The hub: tables and tuning to the sidecars, the ledger, and what people ask about both."""
