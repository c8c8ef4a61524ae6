# SPDX-License-Identifier: Apache-2.0
"""Faults of all instances at once, and of the monitoring itself: each has a Prometheus of its own."""

import time

import pytest

import alerting_stack
from alerting_stack import Stack
from fault_scaling import Shipped, seconds
from fault_scene import Scene, check_commands, follow
from journal import reason_to_skip

pytestmark = pytest.mark.alone
INSTANCES = 10


@pytest.fixture
def scenes(tmp_path):
    """Makes a scene: `scenes()`, with proxies that are scraped: `scenes(3)`."""
    alerting_stack.needs()
    if reason := reason_to_skip():
        pytest.skip(reason)
    made = []

    def make(proxies=1, **options):
        stack = Stack(tmp_path, **options)
        made.append(stack)
        scene = Scene(tmp_path, stack)
        made.append(scene)
        started = [scene.proxy(f"server-{number}") for number in range(proxies)]
        return scene, started

    yield make
    for each in reversed(made):
        each.close()


def when(condition):
    """The last moment before a condition came true: Prometheus takes up to 5 s to take new targets, at any speed."""
    deadline = time.monotonic() + 30
    while True:
        asked = time.monotonic()
        if condition():
            return earlier
        assert asked < deadline, "the targets of Prometheus did not change"
        earlier = asked
        time.sleep(0.05)


def told(scene, alert, since, status="firing"):
    """Waits for an alert that must be critical, checks that it came in time, and prints how long it took."""
    bound = Shipped().bound(alert, "critical")
    found = scene.stack.webhook.wait(status, since + bound + 15, alertname=alert)
    assert found, f"{alert} was not told of\n{scene.stack.diagnosis()}"
    notification, payload = found
    print(f"\n{alert} was told of after {notification.at - since:.2f} s, {bound:.2f} s are allowed")
    assert notification.at - since <= bound, scene.stack.diagnosis()
    assert payload["labels"]["severity"] == "critical"
    return payload


def over(scene, alert):
    group_interval = seconds(Shipped().route["group_interval"])
    deadline = time.monotonic() + group_interval + 15
    assert scene.stack.webhook.wait("resolved", deadline, alertname=alert), scene.stack.diagnosis()


def names(scene):
    """The alerts that were told of, but the one that is always."""
    alerts = [alert for notification in scene.stack.webhook.notifications for alert in notification.alerts]
    return {alert["labels"]["alertname"] for alert in alerts} - {"McpWatchdog"}


def test_no_target_is_left(scenes):
    scene, proxies = scenes()
    scene.watch(proxies)
    scene.stack.targets([])
    since = when(lambda: scene.stack.query('up{job="mcp-proxy"}') == [])
    alert = told(scene, "McpProxyAbsent", since)
    _, diagnosis = follow(alert, scene.stack, scene.journal, {})
    check_commands(diagnosis)
    scene.stack.targets([proxies[0].instance])
    over(scene, "McpProxyAbsent")
    assert names(scene) == {"McpProxyAbsent"}


def test_the_recording_rules_are_missing(scenes):
    scene, proxies = scenes(recording=False)
    scene.stack.targets([proxies[0].instance])
    since = when(lambda: scene.stack.query('up{job="mcp-proxy"} == 1') != [])
    alert = told(scene, "McpRulesMissing", since)
    _, diagnosis = follow(alert, scene.stack, scene.journal, {})
    check_commands(diagnosis)
    scene.stack.load("recording")
    over(scene, "McpRulesMissing")
    assert names(scene) == {"McpRulesMissing"}


def test_one_fault_of_ten_instances_is_one_notification(scenes):
    scene, proxies = scenes(INSTANCES)
    scene.watch(proxies)
    for proxy in proxies:
        proxy.kill_child()
    deadline = time.monotonic() + 2 * Shipped().bound("McpServerCrashed", "warning")
    found = scene.stack.webhook.wait("resolved", deadline, alertname="McpServerCrashed")
    assert found, scene.stack.diagnosis()
    fired, resolved = [n for n in scene.stack.webhook.notifications if n.alertname != "McpWatchdog"]
    for notification, status in ((fired, "firing"), (resolved, "resolved")):
        assert (notification.receiver, notification.status) == ("ticket", status)
        told_of = {(alert["labels"]["alertname"], alert["labels"]["name"]) for alert in notification.alerts}
        assert told_of == {("McpServerCrashed", proxy.name) for proxy in proxies}
