"""Every bound and default size of injection (I6), with its reason."""

from __future__ import annotations

CPU_REQUEST_MILLI = 10
"""What an idle sidecar uses; without a limit a busy one takes what is free."""
CPU_GUARANTEED_MILLI = 100
"""Request and limit in a Guaranteed pod: some 3,000 calls a second."""
CPU_FLOOR_MILLI = 20
"""A limit below this starves TLS handshakes."""
CPU_ROOMY_MILLI = 1000
"""The limit where the namespace insists on one and leaves its size to us."""
MEMORY_REQUEST_BYTES = 64 * 2**20
"""48 MiB idle and some calls in flight."""
MEMORY_LIMIT_BYTES = 256 * 2**20
"""Large bodies included: the engine sheds calls before it reaches this."""
MEMORY_FLOOR_BYTES = 64 * 2**20
"""A sidecar with a smaller limit would be killed at its first large call."""
DISK_REQUEST_BYTES = 16 * 2**20
DISK_LIMIT_BYTES = 128 * 2**20
"""The container's log, which the kubelet rotates at some 50 MiB."""
STATE_SIZE = "16Mi"
"""The last good table and the lease journal, in memory."""
TOKEN_SECONDS = 3600
"""Life of the token for the hub; the kubelet replaces it at four fifths."""
DRAIN_MARGIN_S = 5
"""Of the pod's grace period, left for the last report to the hub."""
GRACE_S = 30
"""Kubernetes' own default grace period."""
STARTUP_PERIOD_S = 1
STARTUP_FAILURES = 60
"""A slow node may take a minute to start Python; the app waits for it."""
LIVENESS_PERIOD_S = 10
LIVENESS_FAILURES = 3
PROBE_TIMEOUT_S = 2
WARNINGS_MAX = 8
WARNING_CHARACTERS_MAX = 240
"""The API server cuts longer ones, and all of them together at 4 KiB."""
QUANTITY_CHARACTERS_MAX = 32
"""Longer ones are nonsense, or meant to make us compute."""
WORKLOAD_CHARACTERS_MAX = 253
"""Kubernetes' own bound on object names."""
WEBHOOK_TIMEOUT_S = 5
"""After this the API server does as the failure policy says."""
