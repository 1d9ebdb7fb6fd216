"""structlog, configured once for both processes: JSON unless on a terminal, secrets redacted."""

import logging
import os
import re
import sys
from collections.abc import Callable, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

_SECRET_NAME = re.compile(r"key|token|secret|password|authorization|salt|seed", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"\b(sk-|ghp_|hf_|xox[abp]-)[A-Za-z0-9_-]{8,}|Bearer\s+\S+")
_PLAIN_NAMES = {"trial_key"}
LOG_BYTES = 8 * 2**20
"""A log file that is larger becomes `NAME.1`, of which there is one."""


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what is named or looks like a secret, before any renderer sees it."""
    for name, value in event.items():
        if _SECRET_NAME.search(name) and name not in _PLAIN_NAMES:
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = _SECRET_TEXT.sub("[redacted]", value)
    return event


def configure(service: str, file: Path | None = None) -> None:
    """Send all logs of this process to stderr or a file, at `SEALED_LOG` (default: warning)."""
    level = logging.getLevelNamesMapping().get(
        os.environ.get("SEALED_LOG", "warning").upper(), logging.WARNING
    )
    terminal = file is None and sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,  # as text, and never with local variables
            redact,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if terminal
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if file is None
        else _rotating(file),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def _rotating(file: Path) -> Callable[..., logging.Logger]:
    """Loggers that append to a file of bounded size; what they are given is rendered already."""
    logger = logging.getLogger("sealed")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=1))
    return lambda *_: logger
