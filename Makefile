# All that a developer runs, from a fresh clone: Python >= 3.11, a C compiler and make suffice.
#
#   make demo         the functions at work on real data, with a picture
#   make test         the fast tests, against the installed wheel
#   make slow         the tests that take minutes, gigabytes or PyTorch
#   make fuzz         random calls against the definitions
#   make sanitize     the same under AddressSanitizer and UndefinedBehaviorSanitizer
#   make arm64        the accuracy of s3s4.h on arm64, cross-compiled and emulated
#   make dev          .venv with an editable install: edit, then .venv/bin/pytest (import rebuilds)
#   make lint         ruff, cython-lint, mypy, pyright
#   make bench        this package beside its peers (downloads them); ARGS=--help lists the others
#   make pages        the page of every activation, their index, the gallery
#   make family       docs/family.md: every activation, how it was checked, how fast it is
#   make wheel        build/wheel/*.whl
#   make sdist        build/sdist/*.tar.gz, and a check that it builds the same wheel without git
#   make audit        build/repaired/*.whl, for any Linux of its tag
#   make smoke        that wheel in a fresh environment of every Python found
#   make minima       builds, installs and runs with the oldest version of each requirement
#   make gpu-check    what NVIDIA's compilers make of the GPU kernels, without a GPU
#   make gpu          the GPU kernels run without a GPU, from the PTX that a card would be given
#   make gpu-roofline what would limit them on a card, predicted from their machine code
#   make portability  builds and tests with clang, and with a compiler that can do the least
#   make clean
#
# Design:
# - The wheel is built once, incrementally, and installed into an environment for each purpose. A
#   stamp file in each says when, so that a second run does nothing but the job.
# - Nothing is imported from this folder: tests run with PYTHONSAFEPATH.

PYTHON ?= python3
COMPILERS ?= clang plain-cc
PIP := -m pip --disable-pip-version-check
# mypy and pyright run in folders without the package's source, which would hide the installed one.
MYPY := $(CURDIR)/.venv-lint/bin/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache
SOURCES := pyproject.toml meson.build README.md LICENSE $(wildcard \
    src/*/*.py src/*/*/*.py src/kernels/* src/meson.build s3s4/*.py s3s4/*/*.py s3s4/*.pyi s3s4/py.typed \
    s3s4/meson.build)

.PHONY: demo test slow fuzz sanitize arm64 dev lint bench pages family wheel sdist audit \
    smoke minima gpu-check gpu gpu-roofline portability clean
.DELETE_ON_ERROR:
.SECONDARY:

demo: .venv-cli/installed
	.venv-cli/bin/s3s4 demo -o build/s3s4-demo.png

test: .venv-test/installed
	PYTHONSAFEPATH=1 .venv-test/bin/python -m pytest -q $(ARGS)

slow: .venv-slow/installed
	PYTHONSAFEPATH=1 .venv-slow/bin/python -m pytest -q -m "slow or torch" $(ARGS)

fuzz: .venv-test/installed
	.venv-test/bin/python tests/tools/fuzz.py 100000

sanitize: .venv-build/requirements .venv-test/installed
	.ci/sanitize "$(CURDIR)/.venv-test/bin/python"

arm64: .venv-test/installed
	@if command -v aarch64-linux-gnu-gcc && command -v qemu-aarch64-static; then \
	    .venv-test/bin/python tests/tools/arm64.py; \
	else \
	    echo "gcc-aarch64-linux-gnu or qemu-user-static is not on this machine: skipped"; \
	fi

dev: .venv/requirements
	PATH="$(CURDIR)/.venv/bin:$$PATH" python $(PIP) install -q --no-build-isolation -e '.[lint,test]'
	# Cython looks for s3s4/__init__.pxd on sys.path, and the finder of editable installs is not there.
	ln -sfn "$$(.venv/bin/python -c 'import s3s4; print(s3s4.get_include())')" \
	    "$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/s3s4"

lint: .venv-lint/installed
	.venv-lint/bin/ruff check
	.venv-lint/bin/ruff format --check
	PATH="$(CURDIR)/.venv-lint/bin:$$PATH" cython-lint src/kernels/*.pyx src/kernels/*.pxi
	cd build && $(MYPY) -p s3s4
	cd tests && $(MYPY) typing_example.py
	rm -rf build/types && mkdir build/types && cp tests/typing_example.py build/types
	cd build/types && echo {} > pyrightconfig.json && \
	    $(CURDIR)/.venv-lint/bin/pyright --pythonpath $(CURDIR)/.venv-lint/bin/python
	cd src && $(MYPY) -p codegen

bench: .venv-bench/installed
	.venv-bench/bin/python benchmarks/run.py $(or $(ARGS),grid)

pages: .venv-cli/installed
	.venv-cli/bin/python docs/pages.py

family: .venv-slow/installed
	.venv-slow/bin/python docs/family.py

wheel: build/wheel/built

sdist: .venv-package/installed
	rm -rf build/sdist
	.venv-package/bin/python -m build -q --sdist --outdir build/sdist
	.venv-package/bin/python .ci/same_wheel.py build/sdist/*.tar.gz build/wheel/*.whl

audit: .venv-package/installed
	rm -rf build/repaired
	PATH="$(CURDIR)/.venv-package/bin:$$PATH"; \
	auditwheel show build/wheel/*.whl && auditwheel repair -w build/repaired build/wheel/*.whl

smoke: audit
	.ci/pythons | while read -r python; do \
	    .ci/smoke "$$python" build/repaired/*.whl || exit; \
	done

minima: .venv-build/requirements .venv-package/installed
	.ci/minima .venv-package/bin/uv

gpu-check: .venv-gpu-check/installed
	.venv-gpu-check/bin/python tests/tools/gpu_check.py $(ARGS)

gpu: .venv-gpu-check/installed
	.venv-gpu-check/bin/python $(PIP) install -q pytest
	PYTHONSAFEPATH=1 .venv-gpu-check/bin/python -m pytest -q -m "slow or not slow" \
	    tests/test_fakecuda.py $(ARGS)

gpu-roofline: .venv-gpu-check/installed
	.venv-gpu-check/bin/python benchmarks/run.py roofline $(ARGS)

portability: .venv-build/requirements .venv-test/installed
	for compiler in $(COMPILERS); do \
	    PATH="$(CURDIR)/.ci:$$PATH" .ci/other-compiler $$compiler "$(CURDIR)/.venv-test/bin/python" || exit; \
	done

clean:
	rm -rf build .venv .venv-*

build/wheel/built: .venv-build/requirements $(SOURCES)
	rm -rf $(@D)
	PATH="$(CURDIR)/.venv-build/bin:$$PATH" python $(PIP) wheel -q --no-build-isolation --no-deps \
	    --config-settings=build-dir=build/meson --wheel-dir $(@D) .
	touch $@

# .venv-NAME holds the wheel with the extra NAME.
.venv-%/installed: build/wheel/built
	.ci/make-venv $(PYTHON) $(@D)
	$(@D)/bin/python $(PIP) install -q --force-reinstall --no-deps $(CURDIR)/build/wheel/*.whl
	$(@D)/bin/python $(PIP) install -q "$$(echo $(CURDIR)/build/wheel/*.whl)[$*]"
	touch $@

# What pyproject.toml says a build needs, for builds without isolation.
%/requirements: pyproject.toml
	.ci/make-venv $(PYTHON) $(@D)
	$(PYTHON) -c "import tomllib; \
	print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" > $@
	$(@D)/bin/python $(PIP) install -q -r $@
