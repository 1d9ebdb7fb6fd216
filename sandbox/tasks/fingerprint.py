"""Whether two candidates are one program: a digest that comments and layout don't change.

Text of an agent's is parsed for this, so it is done in a throw-away container under the policy of
agent code, by `programs/fingerprint.py`. What that process says can't be trusted once it has read
the candidate, and need not be: 32 bytes are read of it, and a lie in them costs the liar's own
candidate its trial, or gets it one that a renamed variable would get as well.
"""

import hashlib
from importlib import resources

from sandbox import limits
from sandbox.containers.container import RoleContainer, StartFailed, put_away
from sandbox.containers.host import Host
from sandbox.containers.probe import probe_order
from sandbox.errors import EngineUnavailable
from sandbox.images.roles import fit_image
from sandbox.policy import PYTHON

_BYTES = 32


def fingerprint(host: Host, candidate: str) -> str:
    """64 hexadecimal digits; those of its bytes for a text that has no others.

    Text that is no Python, or takes more than `limits.FINGERPRINT` seconds or a probe's memory to
    parse. Raises `EngineUnavailable`, `ImageUnfit`.
    """
    source = resources.files("sandbox.programs").joinpath("fingerprint.py").read_text()
    order = probe_order(host, fit_image(host.engine, host.config.agent_image).id)
    container = RoleContainer(host.engine, order, host.uids)
    try:
        container.start_program([PYTHON, "-I", "-B", "-S", "-c", source], most=_BYTES)
        container.ready()
        data = candidate.encode()
        released = container.release(limits.FINGERPRINT, data)
        answer = container.wait_frame(released + limits.FINGERPRINT)
    except StartFailed as fault:
        raise EngineUnavailable(
            f"A candidate can't be read: {fault}.", "See `sealed doctor`."
        ) from None
    finally:
        put_away(container)
    if answer is not None and len(answer.payload) == _BYTES:
        return bytes(answer.payload).hex()
    return hashlib.sha256(b"bytes\0" + data).hexdigest()
