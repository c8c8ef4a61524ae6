# SPDX-License-Identifier: Apache-2.0
"""A receiver of Alertmanager's notifications that keeps what came, and when."""

import http.server
import json
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Notification:
    """`receiver` is the path it was sent to, such as `page`."""

    at: float
    receiver: str
    status: str
    alerts: list

    @property
    def alertname(self):
        return self.alerts[0]["labels"]["alertname"]

    def of(self, **labels):
        """Its alerts that have these labels."""
        return [a for a in self.alerts if all(a["labels"].get(name) == value for name, value in labels.items())]


class Webhook:
    def __init__(self):
        self.notifications = []
        self._came = threading.Condition()
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                at = time.monotonic()
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with webhook._came:
                    webhook.notifications.append(Notification(at, self.path[1:], sent["status"], sent["alerts"]))
                    webhook._came.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self, status, **labels):
        """The alerts with these labels that were told of with this status, each with its notification, in order."""
        return [
            (notification, alert)
            for notification in list(self.notifications)
            for alert in notification.of(**labels)
            if alert["status"] == status
        ]

    def wait(self, status, deadline, **labels):
        """The first of those that `told` gives, or None when none has come by then."""
        with self._came:
            while not (found := self.told(status, **labels)):
                if not self._came.wait(deadline - time.monotonic()):
                    return None
            return found[0]

    def log(self):
        """One line for each alert of each notification but the watchdog's, with the time since the first."""
        lines = []
        for notification in list(self.notifications):
            after = notification.at - self.notifications[0].at
            for alert in notification.alerts:
                if (labels := alert["labels"])["alertname"] != "McpWatchdog":
                    who = labels.get("name", labels.get("instance"))
                    lines.append(
                        f"{after:7.2f} s {notification.receiver:6} {alert['status']:8} {labels['alertname']} {who}"
                    )
        return "\n".join(lines)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
