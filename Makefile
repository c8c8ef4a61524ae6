# SPDX-License-Identifier: Apache-2.0
# `make run` builds and starts the proxy in front of its demo server; `make test` runs every test there is.

PORT ?= 8080
FUZZ_SECONDS ?= 60
# What `make deb` packs, if not a release that it builds, and where to.
BINARY ?=
DIST ?= dist

.PHONY: run test lint format fuzz bench dashboards pictures deb clean help
.DEFAULT_GOAL := help

help:
	@echo 'make run     build in release mode and serve the demo server on 127.0.0.1:$(PORT)'
	@echo 'make test    lint, unit tests, integration tests with real clients and servers'
	@echo 'make lint    check the formatting        make format  apply it'
	@echo 'make fuzz    fuzz the message scanner for $(FUZZ_SECONDS) s'
	@echo 'make bench   measure requests per second, latency and memory'
	@echo 'make dashboards  write grafana/dashboards from grafana/src'
	@echo 'make pictures  draw the dashboards from a recorded run (after make test, which fetches Prometheus)'
	@echo 'make deb     pack a release into dist/mcp-proxy_VERSION_ARCHITECTURE.deb'
	@echo 'make clean   remove what was built, and the Python environments of the tests'

run:
	@scripts/run.sh $(PORT)

test:
	@scripts/test.sh

lint:
	@swift format lint --strict --recursive --parallel Sources Tests Package.swift Fuzz/Sources/fuzz Fuzz/Package.swift Benchmarks/metrics

format:
	@swift format --in-place --recursive --parallel Sources Tests Package.swift Fuzz/Sources/fuzz Fuzz/Package.swift Benchmarks/metrics

fuzz:
	@Fuzz/run.sh $(FUZZ_SECONDS)

bench:
	@Benchmarks/run

dashboards:
	@.venvs/pytest/bin/python grafana/src/generate.py

pictures:
	@PATH="$$PATH:$(CURDIR)/.venvs/debian/usr/bin" .venvs/pytest/bin/python grafana/src/draw.py

deb:
	@scripts/deb.sh "$(BINARY)" $(DIST)

clean:
	rm -rf .build .venvs dist
	find Tests/Integration -name __pycache__ -type d -prune -exec rm -rf {} +
