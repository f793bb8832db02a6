# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo    the sandbox cloud and the relay, nothing to configure (PORT=2525 PAGE=8025 CONSOLE=8026)
#   make test    every check: format, lint, types, tests

.DEFAULT_GOAL := help
.PHONY: help demo test check fresh deb test-packages bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

demo: ## try it: sandbox cloud, relay, its console and a page that shows the mail
	@scripts/make-environment
	@.venv/bin/graphrelay demo $(if $(PORT),--smtp-port $(PORT)) $(if $(PAGE),--page-port $(PAGE)) $(if $(CONSOLE),--console-port $(CONSOLE))

test: ## install what the tests need, then run every check
	@scripts/make-environment dev
	@scripts/install-test-tools
	@scripts/check

check: ## run every check with the installed tools
	@scripts/check

fresh: ## run make demo and make test in a new minimal Debian 12 and 13
	@for debian in bookworm trixie; do \
	    scripts/fresh $$debian sh -c 'scripts/try-demo && make test' || exit; \
	done

deb: ## build the Debian packages for this Debian release, in dist/
	@packaging/build-deb

test-packages: ## build and test the Debian packages and the container image
	@scripts/make-environment dev
	@.venv/bin/pytest tests/packages

bench: ## measure throughput, memory and start-up, beside Postfix
	@scripts/make-environment dev
	@.venv/bin/python -m benchmarks

clean: ## remove the environment and caches
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
