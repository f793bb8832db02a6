# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo    the sandbox cloud and the relay, nothing to configure
#   make test    everything that must be true: format, lint, types, tests

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## try it: sandbox cloud, relay and a mail reader on this machine
	@scripts/make-environment sandbox
	@.venv/bin/graphrelay demo

test: ## install what the tests need, then run every check
	@scripts/make-environment dev
	@scripts/install-test-tools
	@scripts/check

check: ## every check, with what is installed already
	@scripts/check

bench: ## speed, memory and start-up beside their yardsticks
	@scripts/make-environment dev
	@.venv/bin/python -m benchmarks

clean: ## remove the environment and caches
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
