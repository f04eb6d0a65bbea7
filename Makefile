# Pins: one place that says how each file in requirements/ is made. Hashes, no addresses.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make pins"

.PHONY: pins
pins: ## Resolve requirements/*.txt again from the members and requirements/*.in
	$(COMPILE) operator/pyproject.toml sidecar/pyproject.toml requirements/dev.in -o requirements/dev.txt
	$(COMPILE) operator/pyproject.toml -c requirements/dev.txt -o requirements/operator.txt
	$(COMPILE) sidecar/pyproject.toml -c requirements/dev.txt -o requirements/sidecar.txt
	$(COMPILE) operator/pyproject.toml sidecar/pyproject.toml requirements/demo.in -c requirements/dev.txt -o requirements/demo.txt
	$(COMPILE) requirements/sdk2.in -o requirements/sdk2.txt
	$(COMPILE) --no-deps requirements/demo-model.in -o requirements/demo-model.txt
