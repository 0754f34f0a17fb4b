"""A server with a proxy, and clients beside it that have nothing but variables.

Reads {"name": [command...]} from stdin; writes {"name": [exit status, stdout, stderr]}, and under
"journal" what the server received. Run in a network namespace with nothing but loopback.
"""

import json
import os
import subprocess
import sys

from mockserver import MockServer

commands = json.load(sys.stdin)
with MockServer(proxy_port=0) as server:
    key = server.cdp.credentials
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= server.trust.variables
    env |= {"CDP_API_KEY_ID": key["key_id"], "CDP_API_KEY_SECRET": key["key_secret"]}
    env["ACCOUNT"] = "account_af2937b0-9846-4fe7-bfe9-ccc22d935114"
    results = {}
    for name, command in commands.items():
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        results[name] = [done.returncode, done.stdout, done.stderr]
    results["journal"] = [[e.provider, e.target, e.status] for e in server.journal]
    sys.stdout.write(json.dumps(results))
