#!/bin/sh
# Last step of a role image: nothing left of the build, nothing that could raise a privilege.
set -eu

# The working tree may have been checked out under a strict umask; containers run as other users.
chmod -R u=rwX,go=rX /opt/sealed/lib
find /opt/sealed/lib -name __pycache__ -prune -exec rm -rf {} +
/opt/sealed/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/sealed/lib

# Where the artifact is mounted. A fresh volume on disk takes this mode: its trainer is not root.
mkdir -m 1777 /artifact

rm -rf /build /root/.cache /var/cache/apt/* /var/lib/apt/lists/* /var/log/* \
    /usr/share/doc /usr/share/info /usr/share/locale /usr/share/man
find / -xdev -perm /6000 -exec chmod a-s {} +
/opt/sealed/venv/bin/python -I -B -c '
import os
# File capabilities are setuid by another name.
for folder, _, names in os.walk("/usr"):
    for name in names:
        path = os.path.join(folder, name)
        if "security.capability" in os.listxattr(path, follow_symlinks=False):
            os.removexattr(path, "security.capability", follow_symlinks=False)
'
