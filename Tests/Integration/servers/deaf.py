# SPDX-License-Identifier: Apache-2.0
"""A server that does not hear `server/discover`: the command of the arguments, which is sent everything else."""

import json
import subprocess
import sys

with subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE) as server:
    for line in sys.stdin.buffer:
        if json.loads(line).get("method") != "server/discover":
            server.stdin.write(line)
            server.stdin.flush()
    server.stdin.close()
