"""The whole product on one machine: simulated providers, hub and sidecar as child processes."""
