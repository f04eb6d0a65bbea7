"""Every bound and interval of the injector (I6), each with its reason."""

from __future__ import annotations

MIB = 2**20

BODY_BYTES_MAX = 8 * MIB
"""A review holds an object and at most its old one; the API server takes none above 3 MiB."""
BODIES_BYTES_MAX = 16 * MIB
"""Bodies being read or parsed at once; a parsed one takes some ten times its bytes."""
BODY_BYTES_LEAST = 64 * 1024
"""What a small body counts for, so that their number is bounded, too."""
UID_CHARACTERS_MAX = 128
NAME_CHARACTERS_MAX = 253
NAMESPACE_CHARACTERS_MAX = 63
"""Kubernetes' own bounds."""
IMAGE_CHARACTERS_MAX = 512
"""Registry, path, tag and digest."""
REVIEW_WITHIN_S = 3.0
"""The API server gives us five seconds: an answer in time says more than its timeout."""
LISTEN_QUEUE = 1_024
KEEP_ALIVE_S = 120
"""An idle connection is the API server's to close, which it does after 90 s: were we first, a
review could meet our end; that counts as a failed call, and its pod starts without a router. Only
after SIGTERM we close them: what we inject may be yesterday's."""
SHUTDOWN_WITHIN_S = 5
"""For reviews in progress, at the end."""
LEAVE_AFTER_S = 5.0
"""After SIGTERM we go on serving, one review a connection: the API server hears of our end later
than we do."""
CERTIFICATE_LOOK_S = 1.0
"""Between looks at the certificate's files; the kubelet replaces them whole."""
SYNC_WITHIN_S = 15.0
"""Ready without a first list after this long: what is known decides, and pods start."""
TRIAL_WITHIN_S = 20.0
"""An installation whose hub or API server takes longer to answer once does not work."""
