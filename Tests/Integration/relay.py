# SPDX-License-Identifier: Apache-2.0
"""A TCP relay that a test can cut: the network between a client and the proxy."""

import socket
import threading


class Relay:
    """Forwards a port of its own to another. `cut` breaks the connections there are; new ones work again."""

    def __init__(self, port):
        self._target = port
        self._pairs = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._pairs.append((near, far))
            for source, sink, keep in zip((near, far), (far, near), self.watch(), strict=True):
                threading.Thread(target=self._pump, args=(source, sink, keep), daemon=True).start()

    def watch(self):
        """What is called with the data of a new connection before it goes on: that of the client, that of the proxy."""
        return (lambda data: None,) * 2

    @staticmethod
    def _pump(source, sink, keep):
        try:
            while data := source.recv(65536):
                keep(data)
                sink.sendall(data)
        except OSError:
            pass
        for side in (source, sink):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for side in pair:
                try:
                    side.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                side.close()

    def close(self):
        self._listener.close()
        self.cut()
