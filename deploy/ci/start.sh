#!/bin/sh
# Starts a mock exchange in the background; takes options of `mockserver serve`. When it is ready, the
# current folder has mockserver.env (NAME=VALUE) and mockserver.sh (to be sourced): for each provider
# CPG_BASE_URL, CPG_HTTPS_URL and its credentials (CPG_KEY_ID, CPG_SECRET); MOCK_AUTHORITY, the file that
# TLS clients trust; MOCKSERVER_URL for the pytest plugin. With MOCK_TRUST=true also the variables of
# `mockserver trust`: clients then trust nothing else. Stop it by: kill "$(cat mockserver.pid)"
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)

if ! command -v mockserver >/dev/null; then
    python3 -m venv .mockserver
    .mockserver/bin/pip install --quiet --require-hashes --requirement "$here/requirements.lock" \
        --requirement "$here/requirements-build.lock"
    .mockserver/bin/pip install --quiet --no-deps --no-index --no-build-isolation "$here"
    PATH=$PWD/.mockserver/bin:$PATH
fi

rm -f mockserver.ready
mockserver serve --json --tls --ca-dir .mockserver-ca "$@" >mockserver.ready 2>mockserver.log &
echo $! >mockserver.pid
until [ -s mockserver.ready ]; do
    kill -0 "$(cat mockserver.pid)" 2>/dev/null || { cat mockserver.log >&2; exit 1; }
    sleep 0.2
done

python3 - <<'PYTHON'
import json
import os
import shlex
import subprocess

ready = json.load(open("mockserver.ready"))
found = {"MOCKSERVER_URL": ready["gateway"], "MOCK_AUTHORITY": ready["authority"]}
for name, provider in ready["providers"].items():
    members = {"base_url": provider["base_url"], "https_url": provider["https_url"]}
    for member, value in (members | provider["credentials"]).items():
        if not isinstance(value, str):
            value = json.dumps(value, separators=(",", ":"))
        found[f"{name}_{member}".upper()] = value
if os.environ.get("MOCK_TRUST") == "true":
    command = ["mockserver", "trust", "--url", ready["gateway"], "--json"]
    found |= json.loads(subprocess.check_output(command))
with open("mockserver.env", "w") as file:
    file.writelines(f"{name}={value}\n" for name, value in found.items())
with open("mockserver.sh", "w") as file:
    file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in found.items())
PYTHON
