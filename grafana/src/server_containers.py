# SPDX-License-Identifier: Apache-2.0
"""The container of one server: which image it runs, whether its engine answers, and what is left of others."""

from grafana_foundation_sdk.models import units

from panels import BAD, GOOD, WARN, Column, now, number, row_of, steps, table
from queries import known, named, select


def containers():
    return [
        table(
            "Image",
            "What the newest container runs: the image as the command names it, what that meant in its registry when "
            "the container was started, and what it is called by this engine. A new digest is a new version.",
            row_of(named(select("mcp_proxy_container_info"))),
            columns=[
                Column("name", "Server", width=140),
                Column("image", "Image", width=220),
                Column("image_digest", "Digest"),
                Column("image_id", "Id"),
            ],
            dropped=("A", "job", "instance"),
            sort="Server",
            shows="healthy",
            width=12,
            height=4,
            empty="no container",
        ),
        number(
            "Container engine",
            "Whether the engine that runs the server in a container answered the last question.",
            units.NoUnit,
            now(known(select("mcp_proxy_engine_up"))),
            shows="healthy",
            width=6,
            mapping={1: ("Up", GOOD), 0: ("Away", BAD)},
            empty="no container",
            runbooks=("McpEngineUnavailable",),
        ),
        number(
            "Containers that can't be removed",
            "They should be gone, and are tried again every 30 seconds.",
            units.NoUnit,
            now(known(select("mcp_proxy_orphan_containers"))),
            shows="healthy",
            width=6,
            colors=steps((1, WARN)),
            empty="no container",
            runbooks=("McpOrphanContainers",),
        ),
    ]
