#!/bin/sh
# Drops what no trial needs of the Python packages, and compiles the rest: containers are read-only,
# so an import could not keep what it compiled. Unchecked hashes: a changed mtime does not matter.
set -eu
packages=/opt/sealed/venv/lib/python3.11/site-packages

/opt/sealed/venv/bin/python -m pip uninstall -q -y pip --root-user-action=ignore
# The packages' own tests. torch is named apart: not all of its folders of that name are tests.
find "$packages" -type d -name tests -not -path "$packages/torch/*" -prune -exec rm -rf {} +
rm -rf "$packages/torch/test"
find "$packages/torch/bin" -type f -not -name torch_shm_manager -delete 2>/dev/null || true
library="$(/opt/sealed/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
# pip is gone: agent code needs none. Its wheel stays, for images that tasks build FROM this one.
wheel="$(find "$library/ensurepip" /usr/share/python-wheels -name 'pip-*.whl' 2>/dev/null | head -n 1)"
cp "$wheel" /opt/sealed/pip.whl
rm -rf "$library/ensurepip" "$library/idlelib" "$library/test" "$library/turtledemo" \
    "$library/site-packages/pip" "$library"/site-packages/pip-* \
    /usr/lib/python3/dist-packages/* /usr/share/python-wheels

# Packages ship a few files for newer Pythons: those fail here, and stay as source.
/opt/sealed/venv/bin/python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash \
    "$packages" "$library" || true
